import Foundation
import Synchronization

/// Removes everything that the tests leave outside their own process, however that process ends.
///
/// A shell waits until the test process's end of its standard input is closed. Then it ends the
/// processes that are noted in the directory, by their id and start time, because ids are reused;
/// and removes the directory.
enum Leftovers {
    /// The directory that contains every directory of the tests.
    static let directory: String = {
        var template = Array("/tmp/rest-auth-test-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { fatalError("no directory can be made in /tmp") }
        let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        // PostgreSQL runs as another user, in its own directory.
        chmod(path, 0o755)
        mkdir(path + "/processes", 0o700)
        watch(path)
        return path
    }()

    static func add(process: Int32) {
        guard let start = startTime(of: process) else { return }
        try? Data(start.utf8).write(to: URL(fileURLWithPath: "\(directory)/processes/\(process)"))
    }

    static func remove(process: Int32) { unlink("\(directory)/processes/\(process)") }

    /// The 22nd field of the line, the start time in ticks since the machine started.
    private static func startTime(of process: Int32) -> String? {
        let line = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8)
        return line?.split(separator: " ").dropFirst(21).first.map(String.init)
    }

    private static func watch(_ path: String) {
        let script = """
            trap '' INT TERM HUP
            read -r _
            end() {
                for file in "$0"/processes/*; do
                    process=${file##*/}
                    [ "$(cut -d ' ' -f 22 "/proc/$process/stat" 2>/dev/null)" = "$(cat "$file")" ] || continue
                    kill "-$1" "-$process"
                done
            }
            # Asked to end, told to, and made to: PostgreSQL takes its own along at the second.
            for signal in TERM QUIT KILL; do
                end "$signal"
                sleep 0.5
            done
            for _ in 1 2 3 4 5; do
                rm -rf "$0" && break
                sleep 0.2
            done
            """
        let shell = Process()
        shell.executableURL = URL(fileURLWithPath: "/bin/sh")
        shell.arguments = ["-c", script, path]
        let pipe = Pipe()
        // Open as long as this process runs, and not inherited by its children.
        _ = fcntl(pipe.fileHandleForWriting.fileDescriptor, F_SETFD, FD_CLOEXEC)
        shell.standardInput = pipe
        shell.standardOutput = FileHandle.nullDevice
        shell.standardError = FileHandle.nullDevice
        guard (try? shell.run()) != nil else { return }
        held.withLock { $0 = pipe }
    }

    private static let held = Mutex<Pipe?>(nil)
}
