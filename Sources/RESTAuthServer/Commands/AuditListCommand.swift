import ArgumentParser
import Foundation
import RESTAuth

extension AuditCommand {
    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List what happened, the newest first.",
            discussion: """
                  rest-auth audit list
                  rest-auth audit list --user susan --since 7d
                  rest-auth audit list --event password.changed --event user.disabled --limit 20
                  rest-auth audit list --since 2026-11-01 --until 2026-11-02T12:00:00Z

                A line has the number, the time, the event, whose account it is, who did it and from where, and more \
                about it.
                """)

        @OptionGroup var selection: AuditSelection
        @Option(help: "How many at most (100).") var limit = 100
        @OptionGroup var options: CoreOptions

        func validate() throws { try selection.refuse(limit: limit) }

        func run() async throws {
            try await options.withAuth { auth in
                var query = try await selection.query(auth)
                var (left, last) = (limit, Int64?.none)
                while left > 0 {
                    query.order = .newestFirst(before: last)
                    let rows = try await auth.auditTrail.events(matching: query, limit: min(left, 1000))
                    try Output.write(lines: rows.map(\.textLine))
                    guard let end = rows.last, rows.count == min(left, 1000) else { return }
                    (left, last) = (left - rows.count, end.id)
                }
            }
        }
    }

    struct Export: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write what happened to standard output, the oldest first, a JSON object a line.",
            discussion: """
                  rest-auth audit export > events.jsonl
                  rest-auth audit export --since 7d --event session.started
                  rest-auth audit export --user susan --limit 1000

                The last line is the head of the trail, as rest-auth audit head prints it.
                """)

        @OptionGroup var selection: AuditSelection
        @Option(help: "How many at most; all unless given.") var limit: Int?
        @OptionGroup var options: CoreOptions

        func validate() throws { try selection.refuse(limit: limit) }

        func run() async throws {
            try await options.withAuth { auth in
                var query = try await selection.query(auth)
                var (left, last) = (limit ?? .max, Int64.min)
                while left > 0 {
                    query.order = .oldestFirst(after: last)
                    let rows = try await auth.auditTrail.events(matching: query, limit: min(left, 1000))
                    try Output.write(lines: rows.map(\.jsonLine))
                    guard let end = rows.last, rows.count == min(left, 1000) else { break }
                    (left, last) = (left - rows.count, end.id)
                }
                let head: JSON = ["head": try await auth.auditTrail.head().map { .string($0.description) } ?? .null]
                try Output.write(String(decoding: head.bytes, as: UTF8.self))
            }
        }
    }
}

/// The selection of events that a command reads.
struct AuditSelection: ParsableArguments {
    @Option(help: ArgumentHelp("Not before: a span back from now, or a time in UTC.", valueName: "7d|date"))
    var since: String?
    @Option(help: ArgumentHelp("Before: a span back from now, or a time in UTC.", valueName: "7d|date"))
    var until: String?
    @Option(help: "Of the user of that name.") var user: String?
    @Option(help: "Of the user of that id, who may be gone.") var id: User.ID?
    @Option(help: ArgumentHelp("Of that name, as session.started; may be given more than once.", valueName: "name"))
    var event: [String] = []

    func validate() throws {
        guard user == nil || id == nil else { throw ValidationError("Name one user, by --user or by --id.") }
    }

    func refuse(limit: Int?) throws {
        if let limit, limit < 1 { throw ValidationError("--limit must be 1 or more.") }
    }

    func query(_ auth: Auth) async throws -> EventQuery {
        var query = EventQuery()
        if user != nil || id != nil {
            query.userID =
                if let id { id } else { try await UserReference(username: user).find(in: auth.users).id }
        }
        query.since = try since.map { try Self.time($0, "--since") }
        query.until = try until.map { try Self.time($0, "--until") }
        query.names = try Set(
            event.map { name in
                guard let known = AuthEvent.Name(rawValue: name) else {
                    throw AuthError(.misconfigured, "there is no event \(QuotedText(name)); the page Events lists them")
                }
                return known
            })
        return query
    }

    /// Parses `90s`, `30m`, `12h` or `7d` before now, or a day or a time of RFC 3339, in UTC unless
    /// it has an offset.
    private static func time(_ text: String, _ option: String) throws -> Date {
        let units: [UInt8: Double] = [
            UInt8(ascii: "s"): 1, UInt8(ascii: "m"): 60, UInt8(ascii: "h"): 3600, UInt8(ascii: "d"): 86400,
        ]
        if let unit = text.utf8.last.flatMap({ units[$0] }), let count = WireText(text.dropLast()).decimalNumber {
            return Date.now.addingTimeInterval(-Double(count) * unit)
        }
        let bytes = Array(text.utf8)
        guard let date = Timestamp.date(bytes) ?? Timestamp.date(bytes + Array("T00:00:00Z".utf8)) else {
            throw AuthError(
                .misconfigured,
                "\(option) is \(QuotedText(text)) and must be like 7d, 12h, 2026-11-28 or 2026-11-28T10:18:26Z")
        }
        return date
    }
}

extension StoredEvent {
    /// Columns for a terminal, without characters that a terminal would interpret.
    fileprivate var textLine: String {
        let actor = fields.actorID.map { "\(fields.actorKind) \(QuotedText($0))" } ?? fields.actorKind
        return [
            number.map(String.init) ?? "-", Timestamp.text(fields.at), QuotedText(fields.name).description,
            fields.userID.map { "user \($0)" } ?? "-", "by \(actor)",
            fields.address.map { QuotedText($0).description } ?? "-", QuotedText(fields.details).description,
        ].joined(separator: "\t")
    }

    fileprivate var jsonLine: String {
        func text(_ text: String?) -> JSON { text.map(JSON.string) ?? .null }
        let json: JSON = [
            "id": .integer(Int(id)), "number": number.map { .integer(Int($0)) } ?? .null,
            "at": .string(Timestamp.text(fields.at)), "name": .string(fields.name),
            "user_id": fields.userID.map { .integer(Int($0)) } ?? .null,
            "session_id": text(fields.sessionID?.description),
            "actor": ["kind": .string(fields.actorKind), "id": text(fields.actorID)],
            "request_id": text(fields.requestID), "address": text(fields.address),
            "user_agent": text(fields.userAgent), "details": JSON(fields.details.utf8) ?? .string(fields.details),
            "seal": text(seal.map { $0.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() }),
        ]
        return String(decoding: json.bytes, as: UTF8.self)
    }
}
