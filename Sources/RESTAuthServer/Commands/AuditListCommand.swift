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
                  rest-auth audit list --event user.disabled --event user.deleted --limit 20
                  rest-auth audit list --since 2026-11-01 --until 2026-11-02T12:00:00Z

                Each line has the event's number, time and name, the account that it concerns, who did it and from \
                where, and details.
                """)

        @OptionGroup var selection: AuditSelection
        @Option(help: "How many at most (100).") var limit = 100
        @OptionGroup var options: CoreOptions

        func validate() throws { try selection.refuse(limit: limit) }

        func run() async throws {
            try await options.withAuth { auth in
                var query = try await selection.query(auth)
                var left = limit
                try await auth.auditTrail.forEachPage(of: &query, &left) { rows in
                    try Output.write(lines: rows.map(\.textLine))
                    return .newestFirst(before: rows.last?.id)
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

                The first line is the anchor: number and digest of the last event that was pruned, or 0 and zeros. \
                Then come the sealed events by number, up to that of the head, and then those that are not sealed \
                yet. The last line is the head, as rest-auth audit head prints it. Anchor and head let you check an \
                export of all events elsewhere: the page Audit shows how.
                """)

        @OptionGroup var selection: AuditSelection
        @Option(help: "How many at most; all unless given.") var limit: Int?
        @OptionGroup var options: CoreOptions

        func validate() throws { try selection.refuse(limit: limit) }

        func run() async throws {
            try await options.withAuth { auth in
                var query = try await selection.query(auth)
                var left = limit ?? .max
                // Read before the rows, so that all rows up to the head are there.
                let (chain, failure) = try await end(of: auth.auditTrail)
                try write("anchor", chain.map(\.anchor.json) ?? .null)
                let number = chain?.head.number ?? .min
                query.order = .byNumber(after: .min, upTo: number)
                try await auth.auditTrail.forEachPage(of: &query, &left) { rows in
                    try Output.write(lines: rows.map(\.jsonLine))
                    return .byNumber(after: rows.last?.number ?? number, upTo: number)
                }
                query.order = .beyond(number: number, after: .min)
                try await auth.auditTrail.forEachPage(of: &query, &left) { rows in
                    try Output.write(lines: rows.map(\.jsonLine))
                    return .beyond(number: number, after: rows.last?.id ?? .max)
                }
                try write("head", chain.map { .string(AuditHead($0).description) } ?? .null)
                if let failure { throw failure }
            }
        }

        /// The chain; for a broken trail the error instead, because its rows are exported all the
        /// same.
        private func end(of trail: AuditTrail) async throws -> (AuditChain?, broken: AuthError?) {
            do {
                return (try await trail.chain(), nil)
            } catch let error as AuthError where error.code == .auditTrailBroken {
                return (nil, error)
            }
        }

        private func write(_ name: String, _ value: JSON) throws {
            let line: JSON = .object([JSON.Member(name: name, value: value)])
            try Output.write(String(decoding: line.bytes, as: UTF8.self))
        }
    }
}

extension AuditTrail {
    /// Calls `body` with the rows that match `query`, at most `limit`, in pages.
    /// - Parameters:
    ///   - limit: reduced by the number of rows that were read.
    ///   - body: receives a page and returns the order that begins after it.
    fileprivate func forEachPage(
        of query: inout EventQuery, _ limit: inout Int, _ body: ([StoredEvent]) throws -> EventQuery.Order
    ) async throws {
        while limit > 0 {
            let size = min(limit, 1000)
            let rows = try await events(matching: query, limit: size)
            query.order = try body(rows)
            limit -= rows.count
            guard rows.count == size else { return }
        }
    }
}

extension AuditLink {
    fileprivate var json: JSON { ["number": .integer(Int(number)), "digest": .string(digest.hexadecimal)] }
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

    /// Parses a span before now with its units, as `90s`, `1d12h` or `7d`, or a day or a time of
    /// RFC 3339, in UTC unless it has an offset.
    private static func time(_ text: String, _ option: String) throws -> Date {
        guard let date = EventQuery.time(text, at: .now) else {
            throw AuthError(.misconfigured, "\(option) is \(QuotedText(text)) and \(EventQuery.timeRule)")
        }
        return date
    }
}

extension StoredEvent {
    /// Columns for a terminal, without characters that a terminal would interpret.
    fileprivate var textLine: String {
        let actor = [fields.actor.kind, fields.actor.id].compactMap { $0.map { QuotedText($0).description } }
        return [
            number.map(String.init) ?? "-", Timestamp.text(fields.at), QuotedText(fields.name).description,
            fields.userID.map { "user \($0)" } ?? "-", "by " + actor.joined(separator: " "),
            fields.address.map { QuotedText($0).description } ?? "-", detailsText,
        ].joined(separator: "\t")
    }

    /// Each detail as `name="value"`, and a text that is no object as it is.
    private var detailsText: String {
        guard case .object(let members)? = JSON(fields.details.utf8) else {
            return QuotedText(fields.details).description
        }
        return members.map { member in
            let value = member.value.string ?? String(decoding: member.value.bytes, as: UTF8.self)
            return "\(member.name)=\(QuotedText(value))"
        }.joined(separator: " ")
    }

    fileprivate var jsonLine: String { json.text }
}
