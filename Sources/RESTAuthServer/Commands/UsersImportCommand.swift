import ArgumentParser
import Foundation
import Logging
import PasswordHashing
import RESTAuth
import RESTAuthPostgres
import RESTAuthSQLite

extension UsersCommand {
    struct Import: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Bring in the users of another system, who keep their passwords.",
            discussion: """
                  rest-auth users import --from-flask data.sqlite --dry-run
                  rest-auth users import --from-flask data.sqlite
                  rest-auth users import --from-django postgres://django@db.example.com/site
                  rest-auth users import --csv users.csv
                  rest-auth users import --csv users.csv --accept-weak-hashes
                  rest-auth users import --csv users.csv --pepper hmac-sha512 --pepper-file flask.pepper
                  rest-auth users export --include-password-hashes | rest-auth users import --jsonl - --database sqlite:other.sqlite

                What is imported from is only read. A user whose name is there already is skipped, so a command that was interrupted is repeated. \
                Ids are kept where they are free. Who is refused, and who got another id, is said on standard error, and completely in the \
                file of --report.

                Exit status 0 when nobody was refused, 1 otherwise.
                """)

        @OptionGroup var source: ImportSourceOptions
        @OptionGroup var hashes: ImportHashOptions
        @Flag(help: "Check everything and write nothing.") var dryRun = false
        @Option(
            help: ArgumentHelp(
                "Write who was refused, skipped or given another id into this file, a JSON object a line.",
                valueName: "file"))
        var report: String?
        @OptionGroup var options: SettingsOptions

        func run() async throws {
            let settings = try options.load()
            let sink = settings.startLogging(level: settings.logLevel ?? .warning)
            defer { sink.flush() }
            let source = try await source.open()
            let intake = try hashes.intake(settings)
            let users = UserImport(into: try await settings.openStorage(forImport: !dryRun), hashes: intake)
            let report = try ImportReport(file: report)
            let counts = try await importing(users, source, report)
            report.showShort()
            print(dryRun ? "Nothing was written. Would be imported: \(counts.text)" : "Imported: \(counts.text)")
            if let pepper = intake.pepper, counts.imported > 0 { showNeed(of: pepper) }
            if counts.refusals > 0 { throw ExitCode(1) }
        }

        private func showNeed(of pepper: PepperUse) {
            let text =
                "serve needs the pepper (id \(pepper.id)) until these users have signed in: set \(Setting.passwordPepper.environmentName)\n"
            FileHandle.standardError.write(Data(text.utf8))
        }

        private func importing(_ users: UserImport, _ source: any UserSource, _ report: ImportReport) async throws
            -> ImportCounts
        {
            let progress = ProgressReport()
            // Before an error is written, too.
            defer { progress.end() }
            return try await users.run(source, isTrial: dryRun) { notes, done, total in
                try report.add(notes)
                progress.show(dryRun ? "checking" : "importing", done: done, total: total)
            }
        }
    }
}

/// Where the users come from.
struct ImportSourceOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "SQLite file of a Flask server: table users, or user, with id, username and password_hash.",
            valueName: "file"))
    var fromFlask: String?

    @Option(
        help: ArgumentHelp(
            "SQLite file or postgres:// URL of a Django project with the table auth_user.", valueName: "file|url"))
    var fromDjango: String?

    @Option(
        help: ArgumentHelp(
            "Comma-separated values; the first line names username, password_hash and if wanted id, created_at, disabled. - is standard input.",
            valueName: "file"))
    var csv: String?

    @Option(
        help: ArgumentHelp("A JSON object a line, as users export writes them. - is standard input.", valueName: "file")
    )
    var jsonl: String?

    func validate() throws {
        guard [fromFlask, fromDjango, csv, jsonl].count(where: { $0 != nil }) == 1 else {
            throw ValidationError("Name one source: --from-flask, --from-django, --csv or --jsonl.")
        }
    }

    func open() async throws -> any UserSource {
        if let fromFlask { return try ForeignUsers(ofFlask: fromFlask) }
        if let csv { return try CommaSeparatedUsers(reading: csv) }
        if let jsonl { return try JSONLines(reading: jsonl) }
        let django = fromDjango ?? ""
        return switch try? DatabaseURL(django, place: "--from-django") {
        case .postgres(let url): try await DjangoUsers(url: url)
        case .sqlite(let path): try ForeignUsers(ofDjango: path)
        case nil: try ForeignUsers(ofDjango: django)
        }
    }
}

extension Settings {
    /// The database to import into; for a trial without one, an empty one in memory.
    fileprivate func openStorage(forImport isWritten: Bool) async throws -> any Storage {
        if !isWritten, case .sqlite(let path) = database, !FileManager.default.fileExists(atPath: path) {
            return try await SQLiteStorage()
        }
        return try await openStorage(createsMissing: isWritten, isServer: false)
    }
}

// MARK: - The report

/// Keeps what is worth a line: in a file all of it, on standard error the first of it.
private final class ImportReport {
    private static let shortLength = 20

    private let file: FileHandle?
    private let fileName: String
    private var short: [String] = []
    private var noteCount = 0

    init(file path: String?) throws {
        fileName = path ?? ""
        guard let path else {
            file = nil
            return
        }
        guard FileManager.default.createFile(atPath: path, contents: nil), let file = FileHandle(forWritingAtPath: path)
        else {
            throw AuthError(.misconfigured, "the report \(path) cannot be written")
        }
        self.file = file
    }

    func add(_ notes: [ImportNote]) throws {
        var lines: [UInt8] = []
        for note in notes {
            if file != nil, let json = note.json { lines += json.bytes + [0x0A] }
            guard let text = note.text else { continue }
            noteCount += 1
            if short.count < Self.shortLength { short.append(text) }
        }
        if !lines.isEmpty { try file?.write(contentsOf: Data(lines)) }
    }

    func showShort() {
        var lines = short
        if noteCount > short.count {
            lines.append(
                "and \(noteCount - short.count) more: "
                    + (file == nil ? "--report FILE has them all" : "\(fileName) has them all"))
        }
        FileHandle.standardError.write(Data(lines.map { $0 + "\n" }.joined().utf8))
    }
}

extension ImportNote {
    /// `nil` for who came in as they were, or was there.
    fileprivate var text: String? {
        switch outcome {
        case .imported(_, nil), .skipped: nil
        case .imported(let id, let former?):
            id.map { "\(who): id \(former) became \($0)" } ?? "\(who): id \(former) is not free"
        case .refused(let refusal): "\(who): \(refusal.reason)"
        }
    }

    private var who: String { "\(place)\(username.map { ", \(Self.shown($0))" } ?? "")" }

    fileprivate var json: JSON? {
        var members: [(String, JSON)] = []
        switch place {
        case .line(let number): members.append(("line", .integer(number)))
        case .id(let id): members.append(("id", .integer(Int(id))))
        case .row(let number): members.append(("row", .integer(number)))
        }
        if let username { members.append(("username", .string(username))) }
        switch outcome {
        case .imported(_, nil): return nil
        case .imported(let id, let former?):
            members += [
                ("outcome", "renumbered"), ("from", .integer(Int(former))),
                ("to", id.map { .integer(Int($0)) } ?? .null),
            ]
        case .skipped: members.append(("outcome", "skipped"))
        case .refused(let refusal):
            members += [
                ("outcome", "refused"), ("kind", .string(refusal.kind.rawValue)), ("reason", .string(refusal.reason)),
            ]
        }
        return .object(members.map(JSON.Member.init))
    }

    /// Somebody else's text, on a terminal: nothing in it may steer that, or turn the line around.
    private static func shown(_ name: String) -> String {
        let visible = name.unicodeScalars.prefix(80).map { scalar in
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned:
                "\\u{\(String(scalar.value, radix: 16))}"
            default: String(Character(scalar))
            }
        }
        return "\"\(visible.joined())\(name.unicodeScalars.count > 80 ? "…" : "")\""
    }
}

extension ImportCounts {
    fileprivate var text: String {
        let kinds = ImportRefusal.Kind.allCases.compactMap { kind in refused[kind].map { "\(kind.rawValue) \($0)" } }
        let renumbered = renumbered > 0 ? ", of these with another id \(self.renumbered)" : ""
        return "\(imported)\(renumbered); there already: \(skipped); refused: \(refusals)"
            + (kinds.isEmpty ? "." : " (\(kinds.joined(separator: ", "))).")
    }
}
