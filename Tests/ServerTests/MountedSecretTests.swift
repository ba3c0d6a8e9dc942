import Foundation
import Support
import Testing

/// Secrets as orchestrators mount them, and secrets with weak permissions.
@Suite struct MountedSecretTests {
    private static let secret = "nkGnM0nEr7b9YSDWGzVbQ5L6Xa2cTfUo"
    /// A group of the process, where a test says so.
    private static let group = "64123"

    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    /// Runs `rest-auth` after a script that mounts a secret at `vol/key`, in the group or not.
    private func run(
        _ arguments: [String], after script: String, inGroup: Bool = false, environment: [String: String] = [:]
    ) async throws -> (status: Int32, output: String, error: String) {
        let groups = inGroup ? "setpriv --groups \(Self.group)" : "setpriv --clear-groups"
        let process = try ExternalProcess(
            ExternalProcess.program("unshare"),
            ["--mount"] + (geteuid() == 0 ? [] : ["--map-root-user"]) + [
                "/bin/sh", "-ec", "mkdir -p vol\n\(script)\nexec \(groups) \"$0\" \"$@\"",
                ExternalProcess.restAuth.path,
            ] + arguments, environment: environment, directory: directory)
        let status = try await process.exitStatus()
        return (status, process.outputText, process.errorText)
    }

    /// A secret as the kubelet mounts it: behind two links, in memory, and read-only.
    private func volume(mode: String, group: String = "0", isReadOnly: Bool = true) -> String {
        """
        mount -t tmpfs tmpfs vol
        mkdir vol/..2026_11_28
        echo \(Self.secret) > vol/..2026_11_28/key
        chgrp \(group) vol/..2026_11_28/key
        chmod \(mode) vol/..2026_11_28/key
        ln -s ..2026_11_28 vol/..data
        ln -s ..data/key vol/key
        \(isReadOnly ? "mount -o remount,ro vol" : "")
        """
    }

    private static let checked = ["config", "check", "--secret-key-file", "vol/key"]

    @Test(arguments: ["0400", "0440"]) func aMountedSecretOfTheProcessOrItsGroupIsGood(mode: String) async throws {
        let outcome = try await run(
            Self.checked, after: volume(mode: mode, group: Self.group), inGroup: true)
        #expect(outcome.status == 0, "\(outcome.error)")
        #expect(!outcome.output.contains("warning"), "\(outcome.output)")
        // The mode of the link does not matter.
        let writable = try await run(
            Self.checked, after: volume(mode: mode, group: Self.group, isReadOnly: false), inGroup: true)
        #expect(writable.status == 0, "\(writable.error)")
    }

    @Test(arguments: ["0444", "0644", "0440"]) func oneThatAllOfTheContainerMayReadIsAWarning(mode: String)
        async throws
    {
        let outcome = try await run(Self.checked, after: volume(mode: mode, group: Self.group))
        #expect(outcome.status == 0, "\(outcome.error)")
        #expect(outcome.output.contains("warning: vol/key "), "\(outcome.output)")
        #expect(outcome.output.contains("defaultMode: 0440"), "\(outcome.output)")
        #expect(!outcome.output.contains("chmod"))
    }

    @Test func aFileThatIsMountedAloneIsJudgedAlike() async throws {
        let script = """
            echo \(Self.secret) > outside
            chmod 0444 outside
            touch vol/key
            mount --bind outside vol/key
            mount -o remount,ro,bind vol/key
            """
        #expect(try await run(Self.checked, after: script).output.contains("warning: vol/key "))
    }

    /// The directories where Docker and Podman put secrets, writable or not.
    @Test(arguments: ["/run/secrets", "/var/run/secrets", "/run/credentials"])
    func whatLiesWhereOrchestratorsPutSecretsIsTheirs(place: String) async throws {
        let script = """
            mount -t tmpfs tmpfs /run
            mkdir -p \(place)
            echo \(Self.secret) > \(place)/key
            chmod 0444 \(place)/key
            """
        let outcome = try await run(["config", "check", "--secret-key-file", "\(place)/key"], after: script)
        #expect(outcome.status == 0, "\(outcome.error)")
        #expect(outcome.output.contains("warning: \(place)/key "), "\(outcome.output)")
    }

    @Test func everySecretOfOursIsJudgedAlike() async throws {
        let script =
            volume(mode: "0444", isReadOnly: false)
                + """

                echo 'legacy_secret: kP7vXq2LmZ9dRt4W' > vol/settings.yaml
                chmod 0444 vol/settings.yaml
                echo 'sqlite:x.sqlite' > vol/url
                chmod 0444 vol/url
                mount -o remount,ro vol
                """
        let outcome = try await run(
            Self.checked + ["--config", "vol/settings.yaml"], after: script,
            environment: ["DATABASE_URL_FILE": "vol/url"])
        #expect(outcome.status == 0, "\(outcome.error)")
        for name in ["key", "settings.yaml", "url"] {
            #expect(outcome.output.contains("warning: vol/\(name) "), "\(outcome.output)")
        }
    }

    // MARK: Refusals

    @Test(arguments: [("0644", "0"), ("0604", group), ("0640", "64124"), ("0440", "64124"), ("0666", group)])
    func whatOthersMayReadWhereItCanBeChangedIsRefused(mode: String, owner: String) async throws {
        let outcome = try await run(
            Self.checked, after: volume(mode: mode, group: owner, isReadOnly: false), inGroup: true)
        #expect(outcome.status == 1, "\(outcome.output)")
        #expect(outcome.error.contains("chmod 600 vol/key"), "\(outcome.error)")
        #expect(outcome.error.contains("mode \(mode)"), "\(outcome.error)")
    }

    /// A root directory that is mounted read-only contains the machine's own files.
    @Test func aSecretOfAReadOnlyRootIsRefused() async throws {
        let script = """
            echo \(Self.secret) > vol/key
            chmod 0444 vol/key
            mkdir data
            mount -t tmpfs tmpfs data
            mount -o remount,ro,bind /
            """
        let outcome = try await run(Self.checked + ["--database", "sqlite:data/x.sqlite"], after: script)
        #expect(outcome.error.contains("chmod 600 vol/key"), "\(outcome.output)\(outcome.error)")
    }

    @Test func aLinkToNothingAndADirectoryAreNamed() async throws {
        let dangling = try await run(Self.checked, after: "ln -s ..data/key vol/key")
        #expect(dangling.error.contains("..data/key"), "\(dangling.error)")
        let serve = try await run(
            ["serve", "--port", "0", "--secret-key-file", "vol/key"], after: "rm vol/key; ln -s ..data/key vol/key")
        #expect(serve.error.contains("..data/key"), "\(serve.error)")
        let folder = try await run(Self.checked, after: "rm vol/key; mkdir vol/key")
        #expect(folder.error.contains("is a directory"), "\(folder.error)")
        #expect(directory.contents == ["vol"])
    }

    // MARK: Secrets beside the database

    /// Kubernetes gives all files of a volume to `fsGroup`, the secret too, at each start of a pod.
    @Test func aVolumeOfAGroupServesAgain() async throws {
        let server = try await RunningServer()
        #expect(try await server.stop() == 0)
        for name in server.directory.contents { chmod("\(server.directory.path)/\(name)", 0o660) }
        let again = try await RunningServer(directory: server.directory)
        #expect(!again.log.contains("chmod"))
        let rotated = try await again.run(["secret", "rotate"])
        #expect(rotated.status == 0, "\(rotated.error)")
        if !TestDatabase.isOnPostgres {
            let secret = "\(server.directory.path)/rest-auth.secret"
            let mode = try FileManager.default.attributesOfItem(atPath: secret)[.posixPermissions] as? Int
            #expect(mode == 0o660)
        }
    }

    /// A link stays, and the file that it points to is replaced.
    @Test func aSecretBehindALinkIsChangedWhereItLies() async throws {
        let server = try await RunningServer()
        let path = server.directory.path
        try FileManager.default.moveItem(atPath: "\(path)/rest-auth.secret", toPath: "\(path)/real.secret")
        try FileManager.default.createSymbolicLink(
            atPath: "\(path)/rest-auth.secret", withDestinationPath: "real.secret")
        let rotated = try await server.run(["secret", "rotate"])
        #expect(rotated.status == 0, "\(rotated.error)")
        #expect(
            try FileManager.default.destinationOfSymbolicLink(atPath: "\(path)/rest-auth.secret") == "real.secret")
        try await wait(for: "the server to take it up") {
            TestDatabase.isOnPostgres || server.log.contains("secret_rotated")
        }
    }
}
