import Foundation
import Support
import Testing

/// The owners of files when a command is run by another user than the service, and the messages
/// when an owner is wrong. The tests need root, as such commands are usually run by root.
@Suite(.enabled(if: geteuid() == 0)) struct FileOwnerTests {
    /// The directory of the service.
    let directory: TemporaryDirectory
    private let service: uid_t = 65_534
    private let group: gid_t = 65_534
    private var database: String { directory.path + "/rest-auth.sqlite" }

    init() throws {
        directory = try .withSQLite()
        #expect(chown(directory.path, service, group) == 0)
    }

    private func owner(_ name: String) -> [UInt32] {
        var status = stat()
        guard lstat("\(directory.path)/\(name)", &status) == 0 else { return [] }
        return [status.st_uid, status.st_gid, UInt32(status.st_mode & 0o7777)]
    }

    private func run(_ arguments: String..., asService: Bool = false, input: String? = nil) async throws
        -> CommandOutcome
    {
        guard asService else {
            return try await runCommand(
                arguments + ["--database", "sqlite:\(database)"], directory: directory, input: input)
        }
        let process = try ExternalProcess(
            ExternalProcess.program("setpriv"),
            ["--reuid", "\(service)", "--regid", "\(group)", "--clear-groups", ExternalProcess.restAuth.path]
                + arguments + ["--database", "sqlite:\(database)"],
            directory: directory, input: input.map { .text($0) } ?? .nothing)
        return try await process.outcome()
    }

    private func addUser(_ name: String, asService: Bool = false) async throws -> CommandOutcome {
        try await run("users", "add", name, "--password-stdin", asService: asService, input: "python\n")
    }

    // MARK: Files made by root

    @Test func whatRootMakesInAServicesDirectoryIsTheServices() async throws {
        let added = try await addUser("miguel")
        #expect(added.status == 0, "\(added.error)")
        #expect(added.error.contains("nobody"), "\(added.error)")
        #expect(owner("rest-auth.sqlite") == [service, group, 0o600])
        #expect(owner("rest-auth.secret") == [service, group, 0o600])
        for name in ["rest-auth.sqlite-wal", "rest-auth.sqlite-shm"] where !owner(name).isEmpty {
            #expect(owner(name) == [service, group, 0o600])
        }
        let listed = try await run("users", "list", asService: true)
        #expect(listed.status == 0 && listed.output.contains("miguel"), "\(listed.error)")
        #expect(try await addUser("susan", asService: true).status == 0)
    }

    @Test func aDatabaseThatRootPutsBackHasTheOwnerAndModeOfWhatWasThere() async throws {
        #expect(try await addUser("miguel", asService: true).status == 0)
        let backup = directory.path + "/backup.sqlite"
        #expect(try await run("backup", backup, asService: true).status == 0)
        #expect(chmod(database, 0o660) == 0)
        let restored = try await run("restore", backup, "--force")
        #expect(restored.status == 0, "\(restored.error)")
        #expect(restored.output.contains("nobody"), "\(restored.output)")
        #expect(owner("rest-auth.sqlite") == [service, group, 0o660])
        #expect(owner("rest-auth.sqlite.before-restore") == [service, group, 0o660])
        #expect(try await run("users", "list", asService: true).output.contains("miguel"))
    }

    @Test func aDatabaseThatRootPutsWhereNoneWasIsTheDirectorys() async throws {
        #expect(try await addUser("miguel").status == 0)
        let backup = directory.path + "/backup.sqlite"
        let backedUp = try await run("backup", backup)
        #expect(backedUp.status == 0)
        #expect(owner("backup.sqlite") == [service, group, 0o600])
        for name in ["", "-wal", "-shm"] { unlink(database + name) }
        #expect(try await run("restore", backup).status == 0)
        #expect(owner("rest-auth.sqlite") == [service, group, 0o600])
        #expect(try await run("users", "list", asService: true).output.contains("miguel"))
    }

    @Test func aBackupThatIsReplacedKeepsItsOwnerAndMode() async throws {
        #expect(try await addUser("miguel").status == 0)
        let backup = directory.path + "/backup.sqlite"
        #expect(try await run("backup", backup).status == 0)
        #expect(chown(backup, 65_533, 65_533) == 0 && chmod(backup, 0o640) == 0)
        #expect(try await run("backup", backup, "--force").status == 0)
        #expect(owner("backup.sqlite") == [65_533, 65_533, 0o640])
    }

    @Test func inRootsOwnDirectoryFilesAreRoots() async throws {
        #expect(chown(directory.path, 0, 0) == 0)
        let added = try await addUser("miguel")
        #expect(added.error.isEmpty, "\(added.error)")
        #expect(owner("rest-auth.sqlite") == [0, 0, 0o600])
        #expect(owner("rest-auth.secret") == [0, 0, 0o600])
    }

    // MARK: Files that the service cannot open

    @Test(arguments: ["rest-auth.sqlite", "rest-auth.sqlite-wal", "rest-auth.sqlite-shm", "rest-auth.secret"])
    func aFileOfRootsIsNamedWithItsOwnerAndTheCommandThatMendsIt(name: String) async throws {
        #expect(try await addUser("miguel", asService: true).status == 0)
        let path = "\(directory.path)/\(name)"
        if !FileManager.default.fileExists(atPath: path) { try Data().write(to: URL(fileURLWithPath: path)) }
        #expect(chown(path, 0, 0) == 0 && chmod(path, 0o600) == 0)
        for command in [["serve", "--port", "0"], ["config", "check", "--port", "0"], ["users", "list"]] {
            let process = try ExternalProcess(
                ExternalProcess.program("setpriv"),
                ["--reuid", "\(service)", "--regid", "\(group)", "--clear-groups", ExternalProcess.restAuth.path]
                    + command + ["--database", "sqlite:\(database)"], directory: directory)
            #expect(try await process.exitStatus() == 1, "\(command)")
            let text = process.errorText
            #expect(text.split(separator: "\n").count == 1, "\(text)")
            #expect(text.contains("\(path) belongs to root"), "\(text)")
            #expect(text.contains("chown nobody"), "\(text)")
        }
    }

    @Test func aDirectoryThatTheServiceCannotWriteIsNamed() async throws {
        #expect(try await addUser("miguel", asService: true).status == 0)
        #expect(chown(directory.path, 0, 0) == 0 && chmod(directory.path, 0o755) == 0)
        let listed = try await run("users", "list", asService: true)
        #expect(listed.status == 1)
        #expect(listed.error.contains("the directory \(directory.path) belongs to root"), "\(listed.error)")
        // The directory's other files belong to other users.
        #expect(listed.error.contains("--database sqlite:"), "\(listed.error)")
        #expect(!listed.error.contains("chown"), "\(listed.error)")
    }

    /// Giving a directory to the service is suggested only where no other user has files in it.
    @Test func nobodyIsToldToGiveAwayWhatOthersUse() async throws {
        let shared = directory.path + "/shared"
        #expect(mkdir(shared, 0o755) == 0)
        try Data().write(to: URL(fileURLWithPath: shared + "/notes.txt"))
        let places = ["", "/etc", "/usr/local", "/home", "/var/lib", "/root/x", shared].filter {
            FileManager.default.fileExists(atPath: $0 + "/") || $0 == "/root/x"
        }
        for place in places {
            for command in [["serve", "--port", "0"], ["config", "check", "--port", "0"], ["doctor"]] {
                let outcome = try await asService(command + ["--database", "sqlite:\(place)/process-x.sqlite"])
                let text = outcome.output + outcome.error
                #expect(outcome.status == 1, "\(place)")
                #expect(!text.contains("chown"), "\(text)")
                #expect(place == "/root/x" || text.contains("--database sqlite:/var/lib/rest-auth/"), "\(text)")
            }
        }
        let own = directory.path + "/own"
        #expect(mkdir(own, 0o755) == 0)
        try Data().write(to: URL(fileURLWithPath: own + "/rest-auth.yaml"))
        let outcome = try await asService(["serve", "--port", "0", "--database", "sqlite:\(own)/users.sqlite"])
        #expect(outcome.error.contains("chown nobody:nogroup \(own)\n"), "\(outcome.error)")
    }

    /// A command that another user runs does not suggest to take the files from the service.
    @Test(arguments: [0o700, 0o755]) func whatIsAnotherUsersIsNotToBeGivenAway(mode: mode_t) async throws {
        #expect(try await addUser("miguel", asService: true).status == 0)
        #expect(chmod(directory.path, mode) == 0)
        for command in [["users", "list"], ["config", "check", "--port", "0"], ["doctor"], ["serve", "--port", "0"]] {
            let process = try ExternalProcess(
                ExternalProcess.program("setpriv"),
                ["--reuid", "33", "--regid", "33", "--clear-groups", ExternalProcess.restAuth.path] + command
                    + ["--database", "sqlite:\(database)"], directory: directory)
            let outcome = try await process.outcome()
            let text = outcome.output + outcome.error
            #expect(outcome.status == 1)
            #expect(text.contains("run this as nobody, or as root"), "\(text)")
            #expect(!text.contains("chown") && !text.contains("cannot be made"), "\(text)")
        }
    }

    private func asService(_ arguments: [String]) async throws -> CommandOutcome {
        let process = try ExternalProcess(
            ExternalProcess.program("setpriv"),
            ["--reuid", "\(service)", "--regid", "\(group)", "--clear-groups", ExternalProcess.restAuth.path]
                + arguments, directory: directory)
        return try await process.outcome()
    }

    /// Removing the permissions of others alone would shut out the service.
    @Test func aSecretOfRootsThatOthersReadIsMendedAtOnce() async throws {
        let path = directory.path + "/process-key"
        try Data("nkGnM0nEr7b9YSDWGzVbQ5L6Xa2cTfUo\n".utf8).write(to: URL(fileURLWithPath: path))
        #expect(chmod(path, 0o644) == 0)
        let check = ["config", "check", "--port", "0", "--secret-key-file", path]
        let refused = try await asService(check)
        #expect(refused.status == 1)
        #expect(refused.error.contains("(mode 0644, owner root, group root)"), "\(refused.error)")
        #expect(refused.error.contains("chown nobody:nogroup \(path) && chmod 600 \(path)"), "\(refused.error)")
        #expect(chown(path, service, group) == 0 && chmod(path, 0o600) == 0)
        #expect(try await asService(check).status == 0)
    }

    // MARK: Sockets

    @Test func aSocketThatRootLeftIsNotSaidToBeInUse() async throws {
        let socket = directory.path + "/process-auth.sock"
        let first = try ExternalProcess(
            ExternalProcess.restAuth, ["serve", "--hostname", "unix:\(socket)", "--database", "sqlite:\(database)"],
            directory: directory)
        try await first.writes("listens on")
        first.kill()
        _ = try await first.exitStatus()
        for command in [["serve"], ["config", "check"], ["doctor"]] {
            let outcome = try await asService(
                command + ["--hostname", "unix:\(socket)", "--database", "sqlite:\(database)"])
            let text = outcome.output + outcome.error
            #expect(outcome.status == 1)
            #expect(text.contains("\(socket) belongs to root") && text.contains("rm \(socket)"), "\(text)")
            #expect(!text.contains("--port"), "\(text)")
        }
        #expect(unlink(socket) == 0)
        let check = try await asService(
            ["config", "check", "--hostname", "unix:\(socket)", "--database", "sqlite:\(database)"])
        #expect(check.status == 0, "\(check.error)")
    }

    @Test func aGroupThatTheServiceIsNotInIsRefusedBeforeAnythingIsMade() async throws {
        let socket = directory.path + "/process-auth.sock"
        for command in [["serve"], ["config", "check"], ["doctor"]] {
            let outcome = try await asService(
                command + ["--hostname", "unix:\(socket)", "--socket-group", "daemon"])
            let text = outcome.output + outcome.error
            #expect(outcome.status == 1)
            #expect(text.contains("cannot be given to the group daemon: nobody, as whom"), "\(text)")
            #expect(!FileManager.default.fileExists(atPath: socket))
        }
        #expect(directory.contents.isEmpty)
    }

    @Test func whoCannotKeepTheOwnerReplacesNothing() async throws {
        #expect(try await addUser("miguel", asService: true).status == 0)
        let backup = directory.path + "/backup.sqlite"
        #expect(try await run("backup", backup, asService: true).status == 0)
        #expect(chown(database, 65_533, 65_533) == 0 && chmod(database, 0o666) == 0)
        let before = FileManager.default.contents(atPath: database)
        let restored = try await run("restore", backup, "--force", asService: true)
        #expect(restored.status == 1)
        #expect(restored.error.contains("belongs to 65533"), "\(restored.error)")
        #expect(FileManager.default.contents(atPath: database) == before)
        #expect(owner("rest-auth.sqlite") == [65_533, 65_533, 0o666])
        #expect(!directory.contents.contains { $0.contains("before-restore") })
    }

    /// The advice is not to change the owner: the file is in use.
    @Test func whoMayNotReadTheDatabaseIsToldWhoMayBackItUp() async throws {
        #expect(try await addUser("miguel", asService: true).status == 0)
        let place = try TemporaryDirectory()
        #expect(chmod(place.path, 0o777) == 0 && chown(database, 65_533, 65_533) == 0)
        let backup = place.path + "/backup.sqlite"
        func expectRefusal(saying text: String, _ arguments: String...) async throws {
            let outcome = try await run(arguments[0], arguments[1], "--force", asService: true)
            #expect(outcome.status == 1)
            #expect(outcome.error.contains(text), "\(outcome.error)")
            #expect(!outcome.error.contains("chown"), "\(outcome.error)")
        }
        try await expectRefusal(
            saying: "\(database) belongs to 65533, and this process runs as nobody: run this as 65533, or as root",
            "backup", backup)
        #expect(!place.contents.contains { $0.contains("sqlite") })
        #expect(chown(database, service, group) == 0)
        #expect(try await run("backup", backup, asService: true).status == 0)
        #expect(chown(directory.path, 65_533, 65_533) == 0 && chmod(directory.path, 0o755) == 0)
        try await expectRefusal(
            saying:
                "the directory \(directory.path) belongs to 65533, and this process runs as nobody: run this as 65533",
            "restore", backup)
        #expect(chmod(directory.path, 0o700) == 0)
        for command in [["backup", backup + "-2"], ["restore", backup]] {
            try await expectRefusal(saying: "the directory \(directory.path) belongs to 65533", command[0], command[1])
        }
    }

    // MARK: A read-only mount

    /// Runs a command where the directory is mounted read-only.
    private func runReadingOnly(_ arguments: [String]) async throws -> CommandOutcome {
        let mounting = "mount --bind \"$1\" \"$1\" && mount -o remount,ro,bind \"$1\" && shift && exec \"$@\""
        let place = try TemporaryDirectory()
        let process = try ExternalProcess(
            ExternalProcess.program("unshare"),
            ["-m", "sh", "-c", mounting, "-", directory.path, ExternalProcess.restAuth.path] + arguments
                + ["--database", "sqlite:\(database)"],
            directory: place)
        return try await process.outcome()
    }

    /// The last writes are only in the log after a kill.
    @Test(arguments: [(false, []), (false, ["-shm"]), (true, []), (true, ["-wal", "-shm"])])
    func aDatabaseOnAMountThatIsOnlyReadIsBackedUp(wasStopped: Bool, without sideFiles: [String]) async throws {
        let server = try await RunningServer(directory: directory)
        try await server.register("miguel", "python")
        if wasStopped { #expect(try await server.stop() == 0) } else { try await server.kill() }
        for suffix in sideFiles { unlink(database + suffix) }
        let place = try TemporaryDirectory.withSQLite()
        let backup = place.path + "/rest-auth.sqlite"
        let before = directory.contents
        let outcome = try await runReadingOnly(["backup", backup])
        #expect(outcome.status == 0, "\(outcome.error)")
        #expect(directory.contents == before)
        #expect(place.contents == ["rest-auth.sqlite"])
        try FileManager.default.copyItem(
            atPath: directory.path + "/rest-auth.secret", toPath: place.path + "/rest-auth.secret")
        let restored = try await RunningServer(directory: place)
        #expect(try await restored.send("GET", "/api/resource", headers: [basic("miguel", "python")]).status == 200)
    }

    @Test func aCheckOnAMountThatIsOnlyReadSaysSo() async throws {
        #expect(try await addUser("miguel").status == 0)
        for command in [["config", "check", "--port", "0"], ["users", "list"], ["serve", "--port", "0"]] {
            let outcome = try await runReadingOnly(command)
            #expect(outcome.status == 1)
            #expect(outcome.error.contains("mounted read-only"), "\(outcome.error)")
        }
    }
}
