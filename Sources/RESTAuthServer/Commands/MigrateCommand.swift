import ArgumentParser
import Foundation
import RESTAuth
import RESTAuthPostgres
import RESTAuthSQLite

struct MigrateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "migrate",
        abstract: "Move everything into another database.",
        discussion: """
              rest-auth migrate --from sqlite:rest-auth.sqlite \\
                  --to postgres://rest-auth@db.example.com/rest-auth
              rest-auth migrate --from postgres://rest-auth@db.example.com/rest-auth \\
                  --to sqlite:rest-auth.sqlite

            Users, roles, clients, signing keys, sessions and revocations move; who is signed in stays so. Stop the \
            servers first. The database that is moved from is left as it is, the other must be empty. At the end all \
            rows are read again from both and compared. Until then no server starts on the new database; a command \
            that was interrupted is repeated, and goes on where it stopped.

            The secret does not move: the command says what to do with it.
            """)

    @Option(help: ArgumentHelp("The database to move from.", valueName: "url")) var from: String
    @Option(help: ArgumentHelp("The empty database to move into.", valueName: "url")) var to: String

    func run() async throws {
        try await Settings.standard.withLog { try await move() }
    }

    private func move() async throws {
        let (from, to) = try (DatabaseURL(self.from, place: "--from"), DatabaseURL(self.to, place: "--to"))
        let source = try await from.openToMoveFrom()
        let target = try await to.openToMoveInto()
        let counts = try await moveOrAbandon(from: source, to: target)
        let tables = zip(Rooms.tables, counts).map { "\($0.name.replacing("_", with: " ")) \($1)" }
        Output.report(
            """
            Moved from \(source.transferName) to \(target.transferName), and compared: \
            \(tables.joined(separator: ", ")).
            """
        )
        Output.report("\(from.secret) did not move, and no server starts without it: \(to.placeForSecret).")
        Output.report("What is written to \(source.transferName) from now on is not in \(target.transferName).")
    }

    /// Moves the data; when that fails, removes an empty database that was made for it.
    private func moveOrAbandon(
        from source: any TransferableStorage, to target: any TransferableStorage
    ) async throws -> [Int] {
        do {
            return try await move(from: source, to: target)
        } catch {
            (target as? any FileStorage)?.abandon(nil)
            throw error
        }
    }

    private func move(from source: any TransferableStorage, to target: any TransferableStorage) async throws -> [Int] {
        let report = ProgressReport()
        // Also ends the progress bar before an error is written.
        defer { report.end() }
        return try await Transfer(from: source, to: target, by: .commandLine) { progress in
            report.show(progress.step.rawValue, part: progress.table, done: progress.done, total: progress.total)
        }.run()
    }
}

extension DatabaseURL {
    fileprivate func openToMoveFrom() async throws -> any TransferableStorage {
        switch self {
        case .sqlite(let path): try await SQLiteStorage(path: path, createsMissing: false)
        case .postgres(let url): try await PostgresStorage(Self.configuration(url), createsMissing: false)
        }
    }

    fileprivate func openToMoveInto() async throws -> any TransferableStorage {
        switch self {
        case .sqlite(let path): try await SQLiteStorage(filling: path)
        case .postgres(let url): try await PostgresStorage(filling: Self.configuration(url))
        }
    }

    /// Uses a long timeout: no client waits, and a large table may take its time.
    private static func configuration(_ url: String) -> PostgresConfiguration {
        var configuration = PostgresConfiguration(url: url)
        configuration.timeout = 600
        return configuration
    }

    /// Names the secret of the servers on this database.
    fileprivate var secret: String {
        if case .sqlite(let path) = self, case let file = SQLiteFile(path).secretFile,
            FileManager.default.fileExists(atPath: file)
        {
            "The secret in \(file)"
        } else {
            "The secret that the old servers were given"
        }
    }

    /// Says where the servers on this database need the secret.
    fileprivate var placeForSecret: String {
        let given = "give it to the new servers, with --secret-key-file or as SECRET_KEY"
        return switch self {
        case .sqlite(let path): "copy it to \(SQLiteFile(path).secretFile) before the first server starts, or \(given)"
        case .postgres: given
        }
    }
}
