package import Foundation

/// The statement for a page of users, which is the same in both backends but for its parameters.
///
/// Entries of one index are examined, at most `window` of them, so a page costs the same however
/// many users there are and whatever they are filtered by.
extension UserQuery {
    /// Number of entries of an index that a page examines at most.
    package static let window = 1000

    /// The value of a parameter.
    package enum Value: Sendable {
        case text(String)
        case integer(Int64)
        case time(Date)
    }

    /// A row of the statement.
    package struct Row: Sendable {
        let user: User
        let canonical: String
        let isMatch: Bool
        let isEnd: Bool

        package init(user: User, canonical: String, isMatch: Bool, isEnd: Bool) {
            self.user = user
            self.canonical = canonical
            self.isMatch = isMatch
            self.isEnd = isEnd
        }
    }

    /// Makes the statement. Beside `columns`, of a table named `users`, its rows have
    /// `canonical_username`, `is_match`, and `is_end` for the last entry of the window, which need
    /// not match.
    /// - Parameters:
    ///   - columns: the columns of a user.
    ///   - limit: number of users at most.
    ///   - window: number of entries to examine at most.
    ///   - place: adds a parameter, and returns its place.
    package func statement(columns: String, limit: Int, window: Int, place: (Value) -> String) -> String {
        var conditions: [String] = []
        // The list of a role in the order of ids has an index of its own; for all other lists of
        // disabled users there are indexes that have nobody else.
        let isOfDisabled = isDisabled == true && !(role != nil && [.id, .newestID].contains(order))
        if let isDisabled, !isOfDisabled { conditions.append("disabled_at IS \(isDisabled ? "NOT NULL" : "NULL")") }
        let selection = isOfDisabled ? " AND disabled_at IS NOT NULL" : ""
        let rolePlace = role.map { place(.text($0)) }
        let source: String
        let size: Int
        switch order {
        case .id, .newestID:
            if let createdAfter { conditions.append("created_at > \(place(.time(createdAfter)))") }
            size = conditions.isEmpty ? limit : window
            source = idSource(ofRole: rolePlace, selection: selection, size: size, place: place)
        case .username:
            if let createdAfter { conditions.append("created_at > \(place(.time(createdAfter)))") }
            if let rolePlace { conditions.append(Self.hasRole(rolePlace)) }
            size = conditions.isEmpty ? limit : window
            source = Self.source(
                where: nameRange(place: place) + selection, by: "canonical_username", size: size)
        case .oldest, .newest:
            if let rolePlace { conditions.append(Self.hasRole(rolePlace)) }
            size = conditions.isEmpty ? limit : window
            source = Self.source(
                where: timeRange(place: place) + selection,
                by: order == .oldest ? "created_at, id" : "created_at DESC, id DESC", size: size)
        }
        let isMatch = conditions.isEmpty ? "TRUE" : "coalesce(\(conditions.joined(separator: " AND ")), FALSE)"
        return """
            SELECT \(columns), canonical_username, \(isMatch) AS is_match, place = \(size) AS is_end
            FROM (\(source)) AS users
            WHERE \(isMatch) OR place = \(size) ORDER BY place LIMIT \(limit + 1)
            """
    }

    /// Makes the page from the rows of the statement.
    package func page(_ rows: [Row], limit: Int) -> UserPage {
        let matches = zip(rows.filter(\.isMatch), 0..<limit).map(\.0)
        // A page that is not full goes on after the window.
        let last = matches.count == limit ? matches.last : rows.first(where: \.isEnd)
        return UserPage(users: matches.map(\.user), next: last.map(place))
    }

    private func place(_ row: Row) -> UserPlace {
        switch order {
        case .id, .newestID: .id(row.user.id)
        case .username: .name(row.canonical)
        case .oldest, .newest: .time(row.user.createdAt, row.user.id)
        }
    }

    // MARK: Entries

    private static let entry = "users.id, username, canonical_username, users.created_at, disabled_at"

    /// The entries of one index of `users` in a range, numbered.
    private static func source(where range: String, by key: String, size: Int) -> String {
        """
        SELECT entries.*, row_number() OVER (ORDER BY \(key)) AS place
        FROM (SELECT \(entry) FROM users WHERE \(range) ORDER BY \(key) LIMIT \(size)) AS entries
        """
    }

    /// The entries by id; with a role, those of the users that have it.
    private func idSource(
        ofRole role: String?, selection: String, size: Int, place: (Value) -> String
    ) -> String {
        let isUp = order == .id
        let start: User.ID = if case .id(let id)? = after { id } else { isUp ? 0 : .max }
        let (sign, direction, from) = (isUp ? ">" : "<", isUp ? "" : " DESC", place(.integer(start)))
        guard let role else {
            return Self.source(where: "id \(sign) \(from)\(selection)", by: "id\(direction)", size: size)
        }
        return """
            SELECT \(Self.entry), row_number() OVER (ORDER BY users.id\(direction)) AS place
            FROM (
                SELECT user_id FROM user_roles WHERE role = \(role) AND user_id \(sign) \(from)
                ORDER BY user_id\(direction) LIMIT \(size)) AS holders
            JOIN users ON users.id = holders.user_id
            """
    }

    /// The names from the beginning of the page to the end of the prefix. U+10FFFF is in no name.
    private func nameRange(place: (Value) -> String) -> String {
        let prefix = prefix ?? ""
        let start =
            if case .name(let name)? = after {
                "canonical_username > \(place(.text(name)))"
            } else { "canonical_username >= \(place(.text(prefix)))" }
        return "\(start) AND canonical_username < \(place(.text(prefix + "\u{10FFFF}")))"
    }

    private func timeRange(place: (Value) -> String) -> String {
        let start: (Date, User.ID)? = if case .time(let date, let id)? = after { (date, id) } else { nil }
        if order == .oldest {
            guard let (date, id) = start ?? createdAfter.map({ ($0, .max) }) else { return "TRUE" }
            return "(created_at, id) > (\(place(.time(date))), \(place(.integer(id))))"
        }
        let end = start.map { "(created_at, id) < (\(place(.time($0.0))), \(place(.integer($0.1))))" }
        return [end, createdAfter.map { "created_at > \(place(.time($0)))" }].compactMap(\.self)
            .joined(separator: " AND ").nonempty ?? "TRUE"
    }

    /// A subquery that planners leave where it is: one look for each entry.
    private static func hasRole(_ role: String) -> String {
        "(SELECT 1 FROM user_roles WHERE user_id = users.id AND role = \(role)) = 1"
    }
}

extension String {
    fileprivate var nonempty: String? { isEmpty ? nil : self }
}
