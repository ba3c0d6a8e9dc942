import Foundation
import RESTAuth

/// Collects messages about imported users: a file gets all of them, standard error the first few of
/// each cause.
final class ImportReport {
    /// A group of users with the same message.
    private struct Cause {
        let title: String
        var count = 0
        var first: [String] = []
    }

    /// A group of causes that have the same remedy.
    private struct Heading {
        let title: String
        let remedy: String
        var count = 0
    }

    private static let shownOfEach = 3
    /// Limit of the causes shown. More are not shown, because the first ones have to be dealt with
    /// before.
    private static let shownCauses = 20

    private let file: FileHandle?
    private let fileName: String
    private let source: ImportSourceOptions
    private var headings: [Heading] = []
    private var causes: [Cause] = []
    /// Index in `causes` of each cause, by its key.
    private var places: [String: Int] = [:]

    init(file path: String?, of source: ImportSourceOptions) throws {
        self.source = source
        fileName = path ?? ""
        guard let path else {
            file = nil
            return
        }
        // Never replaces an existing file: it may be the list itself, or the database.
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            let reason = errno == EEXIST ? "there is such a file already" : String(cString: strerror(errno))
            throw AuthError(.misconfigured, "the report \(path) cannot be written: \(reason)")
        }
        file = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    }

    func add(_ notes: [ImportNote]) throws {
        var lines: [UInt8] = []
        for note in notes {
            if file != nil, !note.isOrdinary { lines += note.json.bytes + [0x0A] }
            if let cause = note.cause(in: source) { count(note, cause.key, cause.title, cause.remedy) }
        }
        if !lines.isEmpty { try file?.write(contentsOf: Data(lines)) }
    }

    private func count(_ note: ImportNote, _ key: String, _ title: String, _ remedy: String) {
        let heading = headings.firstIndex { $0.title == title } ?? headings.count
        if heading == headings.count { headings.append(Heading(title: title, remedy: remedy)) }
        headings[heading].count += 1
        let place = places[key] ?? causes.count
        if place == causes.count {
            // Limits the causes, for a source in which every user has a different fault.
            guard causes.count < 10 * Self.shownCauses else { return }
            places[key] = place
            causes.append(Cause(title: title))
        }
        causes[place].count += 1
        if causes[place].first.count < Self.shownOfEach { causes[place].first.append(note.text) }
    }

    func showShort(_ counts: ImportCounts) {
        var lines: [String] = []
        let shown = causes.prefix(Self.shownCauses)
        for heading in headings {
            lines.append("\(heading.title): \(heading.count)")
            for cause in shown where cause.title == heading.title {
                lines += cause.first.map { "  \($0)" }
                if cause.count > cause.first.count {
                    lines.append("  and \(cause.count - cause.first.count) more like that")
                }
            }
            lines.append("  \(heading.remedy)")
        }
        if causes.count > Self.shownCauses { lines.append("and \(causes.count - Self.shownCauses) more causes") }
        if causes.contains(where: { $0.count > $0.first.count }) {
            lines.append(file == nil ? "--report FILE has all of them." : "\(fileName) has all of them.")
        }
        if counts.unknownIDs > 0 {
            lines.append(
                """
                Of \(counts.unknownIDs) of those who are refused the id cannot be read: with --skip-refused it is not \
                kept, and others may be given it.
                """
            )
        }
        show(lines)
    }

    func showWhyNothingWasWritten() {
        show([
            """
            Nobody came in, so that everyone can with the id they have: mend these first, or leave them out with \
            --skip-refused.
            """
        ])
    }

    private func show(_ lines: [String]) {
        Output.note(lines.map { $0 + "\n" }.joined())
    }
}

extension ImportNote {
    /// The message and the remedy for the user; `nil` for a user who was imported unchanged, or
    /// existed already.
    fileprivate func cause(in source: ImportSourceOptions) -> (key: String, title: String, remedy: String)? {
        switch outcome {
        case .refused(let refusal):
            return (refusal.cause, "refused, \(refusal.kind.rawValue)", refusal.kind.remedy(in: source))
        case .imported(_, _?):
            return ("another id", "another id", "Change it wherever else the old one stands.")
        case .imported where lacksPassword:
            return ("without a password", "without a password", "rest-auth users set-password gives one.")
        case .imported, .skipped: return nil
        }
    }

    fileprivate var text: String {
        switch outcome {
        case .imported(_, nil), .skipped: who
        case .imported(let id, let former?):
            id.map { "\(who): id \(former) became \($0)" }
                ?? "\(who): id \(former) is not \(UserImport.ids.contains(former) ? "free" : "possible")"
        case .refused(let refusal): "\(who): \(refusal.reason)"
        }
    }

    private var who: String { "\(place)\(username.map { ", \(QuotedText($0))" } ?? "")" }

    /// Whether the user came in as they were in the source.
    fileprivate var isOrdinary: Bool {
        if case .imported(_, nil) = outcome { !lacksPassword } else { false }
    }
}

extension ImportRefusal {
    /// The key of a cause. For some kinds each reason is a cause of its own, because many users
    /// share it.
    fileprivate var cause: String {
        [.unreadable, .unknownHash, .weakHash].contains(kind) ? kind.rawValue + reason : kind.rawValue
    }
}

extension ImportRefusal.Kind {
    /// The advice for users that were refused for this reason.
    fileprivate func remedy(in source: ImportSourceOptions) -> String {
        switch self {
        case .email: "One address is verified by one user: take email_verified from the other in the list."
        case .unreadable:
            source.isApplication ? "Mend them in a copy of the database, and import that." : "Mend them in the list."
        case .name: "Change the name in a copy of the source, and tell its owner."
        case .duplicate: "Rename one of them in a copy of the source, and tell its owner."
        case .id: "Import into an empty database, where all are free; or --renumber gives others."
        case .impossibleID: "Change the ids in a copy, and wherever else they stand; or --renumber gives others."
        case .noPassword: "--without-password brings them in, to be given one by rest-auth users set-password."
        case .unknownHash:
            """
            Compare with the forms that are listed under Moving from Flask\
            \(source.lacksFirebaseParameters ? "; Firebase's need --firebase-hash-config" : ""). \
            --without-password brings them in, to be given one by rest-auth users set-password.
            """
        case .weakHash: "--accept-weak-hashes takes them, each inside an Argon2id hash."
        case .costlyHash:
            "Raise --password-hash-memory-limit or --password-hash-time-limit here, and for rest-auth serve."
        case .roles: "Name roles in a copy of the source as rest-auth users grant takes them."
        case .legacyID: "Import the users of the second Flask server as a list, without legacy_id."
        }
    }
}

extension ImportCounts {
    var text: String {
        let kinds = ImportRefusal.Kind.allCases.compactMap { kind in refused[kind].map { "\(kind.rawValue) \($0)" } }
        let renumbered = renumbered > 0 ? ", of these with another id \(self.renumbered)" : ""
        let withoutPassword = withoutPassword > 0 ? ", of these without a password \(self.withoutPassword)" : ""
        return "\(imported)\(renumbered)\(withoutPassword); there already: \(skipped); refused: \(refusals)"
            + (kinds.isEmpty ? "." : " (\(kinds.joined(separator: ", "))).")
    }
}
