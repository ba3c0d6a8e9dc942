import Foundation
import Support
import Testing

extension ListeningTests {
    @Test func allSocketsTogetherHaveAsManyConnectionsAsMayBe() async throws {
        let port = try FreePort.next()
        let server = try await activate("\(port),\(socket)", for: "own", "--max-connections", "2")
        defer { server.kill() }
        try await server.writes("listens on")
        let held = [try await HTTPConnection(port: port), try await HTTPConnection(port: port)]
        for connection in held { #expect(try await connection.send("GET", "/health/live").status == 200) }
        // A client that connects now, to either socket, is served when another one disconnects.
        async let overUnix = answers("http://localhost", "--unix-socket", socket)
        async let overPort = answers("http://127.0.0.1:\(port)")
        for connection in held {
            #expect(try await connection.send("GET", "/health/live", headers: ["Connection: close"]).status == 200)
        }
        #expect(try await overUnix)
        #expect(try await overPort)
    }

    @Test(arguments: [10, 16, 20, 24, 30]) func withTooFewFilesNothingIsBegun(files: Int) async throws {
        let server = try ExternalProcess(
            ExternalProcess.program("bash"),
            ["-c", "ulimit -n \(files); exec \"$0\" serve --port 0", ExternalProcess.restAuth.path],
            directory: directory)
        let outcome = try await server.outcome()
        #expect(outcome.status == 1)
        #expect(outcome.error.contains("may have \(files) files open, and needs"), "\(outcome.error)")
        #expect(directory.contents.isEmpty)
    }

    @Test func whoRunsOutOfFilesSaysSoOnce() async throws {
        let port = try FreePort.next()
        let server = try ExternalProcess(
            ExternalProcess.program("bash"),
            ["-c", "ulimit -n 50; exec \"$0\" serve --port \(port)", ExternalProcess.restAuth.path],
            directory: directory)
        defer { server.kill() }
        try await server.answers(on: port, path: "/health/live")
        try await wait(for: "the warning") {
            server.errorText.contains("may have 50 files open, fewer than max_connections")
        }
        var held: [HTTPConnection] = []
        for _ in 0..<60 { held.append(try await HTTPConnection(port: port)) }
        try await wait(for: "the line") { server.errorText.contains("(ulimit -n is 50)") }
        // Connected clients are served, including writes: some files are kept for the database.
        let added = try await held[0].send(
            "POST", "/api/users", headers: ["Content-Type: application/json"],
            body: json(["username": "miguel", "password": "python"]))
        #expect(added.status == 201)
        // Longer than the interval at which the process looks at its own threads, which uses files.
        try await Task.sleep(for: .seconds(6))
        #expect(server.isRunning)
        #expect(server.errorText.components(separatedBy: "(ulimit -n is 50)").count == 2)
        held = []
        try await server.answers(on: port, path: "/health/live")
    }

    @Test func aFullDiskIsOneLineAMinuteAndEndsByItself() async throws {
        let port = try FreePort.next()
        let server = try ExternalProcess(
            ExternalProcess.program("unshare"),
            [
                "--user", "--map-root-user", "--mount", "bash", "-c",
                """
                mkdir data && mount -t tmpfs -o size=1m tmpfs data && mkfifo process-fifo
                "$0" serve --port \(port) --database sqlite:data/rest-auth.sqlite --throttle no &
                trap 'kill $!' TERM
                while read -r word; do case $word in fill) cat /dev/zero >data/filler 2>/dev/null ;; free) \
                rm data/filler ;; esac
                done <process-fifo; wait
                """, ExternalProcess.restAuth.path,
            ], directory: directory)
        defer { server.kill() }
        try await server.answers(on: port, path: "/health/live")
        let fifo = try FileHandle(forWritingTo: URL(fileURLWithPath: directory.path + "/process-fifo"))
        defer { try? fifo.close() }
        func register(_ name: String) async throws -> Int {
            try await HTTPConnection(port: port).send(
                "POST", "/api/users", headers: ["Content-Type: application/json"],
                body: json(["username": name, "password": "python"])
            ).status
        }
        #expect(try await register("miguel") == 201)
        try fifo.write(contentsOf: Data("fill\n".utf8))
        var number = 0
        try await wait(for: "the disk to be full") {
            number += 1
            return try await register("susan\(number)") == 503
        }
        for number in 0..<5 { #expect(try await register("emma\(number)") == 503) }
        try await wait(for: "the line") { server.errorText.contains("the disk of the database is full") }
        #expect(server.errorText.components(separatedBy: "the disk of the database is full").count == 2)
        #expect(!server.errorText.contains("the database failed"))
        try fifo.write(contentsOf: Data("free\n".utf8))
        try await wait(for: "room") { try await register("wanda") == 201 }
    }
}
