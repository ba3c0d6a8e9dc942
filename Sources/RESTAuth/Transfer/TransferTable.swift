/// A table that moves from one backend to another, by the names and columns that all of them share.
///
/// The names are those in this file and no others, so a backend may make its statements from them.
/// What a backend keeps for itself, as a count that triggers maintain, is no column here: it comes
/// out right by inserting the rows.
package struct TransferTable: Sendable {
    package enum Kind: Sendable {
        case integer
        case text
        case bytes
        case time
        case boolean
        /// Moves as its 36 characters in lower case, whose order is that of the bytes.
        case uuid
    }

    package struct Column: Sendable {
        package let name: String
        package let kind: Kind
        package let isNullable: Bool

        fileprivate init(_ name: String, _ kind: Kind, isNullable: Bool = false) {
            self.name = name
            self.kind = kind
            self.isNullable = isNullable
        }
    }

    package let name: String
    package let columns: [Column]
    private let keyLength: Int

    private init(_ name: String, keyLength: Int = 1, _ columns: [Column]) {
        self.name = name
        self.keyLength = keyLength
        self.columns = columns
    }

    /// The columns that say which row it is, and in which order rows move; texts among them are
    /// compared byte by byte.
    package var key: ArraySlice<Column> { columns.prefix(keyLength) }

    /// Those values of a row that are its key.
    package func key(of row: TransferRow) -> TransferRow { Array(row.prefix(keyLength)) }
}

extension TransferTable {
    /// Every table, whoever is referred to before those who refer.
    package static let all = [
        TransferTable(
            "users",
            [
                Column("id", .integer), Column("username", .text), Column("canonical_username", .text),
                Column("password_hash", .text),
                Column("password_version", .integer), Column("created_at", .time), Column("password_changed_at", .time),
                Column("disabled_at", .time, isNullable: true), Column("legacy_id", .integer, isNullable: true),
            ]),
        TransferTable("user_roles", keyLength: 2, [Column("user_id", .integer), Column("role", .text)]),
        TransferTable("clients", [Column("id", .text), Column("secret_digest", .bytes), Column("created_at", .time)]),
        TransferTable(
            "signing_keys",
            [
                Column("id", .text), Column("algorithm", .text), Column("sealed", .bytes), Column("created_at", .time),
                Column("signs_from", .time), Column("follows", .text),
            ]),
        TransferTable(
            "sessions",
            [
                Column("id", .uuid), Column("user_id", .integer), Column("created_at", .time),
                Column("last_used_at", .time),
                Column("expires_at", .time), Column("address", .text, isNullable: true),
                Column("user_agent", .text, isNullable: true),
                Column("generation", .integer), Column("refresh_digest", .bytes, isNullable: true),
                Column("previous_digest", .bytes, isNullable: true), Column("sibling_digests", .bytes),
                Column("successor_given_at", .time, isNullable: true), Column("repeats", .integer),
                Column("tokens_expire_at", .time),
            ]),
        TransferTable(
            "revocations",
            [
                Column("number", .integer), Column("user_id", .integer, isNullable: true),
                Column("session_id", .uuid, isNullable: true),
                Column("role", .text, isNullable: true), Column("is_refused", .boolean), Column("at", .time),
                Column("expires_at", .time),
            ]),
        TransferTable(
            "throttles", keyLength: 4,
            [
                Column("kind", .text), Column("username", .text), Column("network", .text), Column("user_id", .integer),
                Column("failures", .integer), Column("failed_at", .time),
                Column("forgiven_at", .time),
                Column("forgotten_at", .time), Column("others", .bytes), Column("version", .integer),
            ]),
        TransferTable(
            "known_origins", keyLength: 2,
            [Column("user_id", .integer), Column("network", .text), Column("seen_at", .time)]),
        TransferTable(
            "invitations",
            [
                Column("id", .text), Column("code_digest", .bytes), Column("note", .text), Column("created_at", .time),
                Column("expires_at", .time),
            ]),
        TransferTable("spent_challenges", [Column("digest", .bytes), Column("expires_at", .time)]),
        TransferTable("reserved_user_ids", [Column("id", .integer)]),
        TransferTable(
            "audit_events",
            [
                Column("id", .integer), Column("at", .time), Column("name", .text),
                Column("user_id", .integer, isNullable: true), Column("session_id", .uuid, isNullable: true),
                Column("actor_kind", .text), Column("actor_id", .text, isNullable: true),
                Column("request_id", .text, isNullable: true), Column("address", .text, isNullable: true),
                Column("user_agent", .text, isNullable: true), Column("details", .text),
                Column("number", .integer, isNullable: true), Column("seal", .bytes, isNullable: true),
            ]),
        TransferTable(
            "audit_chain",
            [
                Column("is_the_only_row", .boolean), Column("number", .integer), Column("digest", .bytes),
                Column("pruned_number", .integer), Column("pruned_digest", .bytes), Column("sealed_at", .time),
                Column("seal", .bytes),
            ]),
        TransferTable("outbox", [Column("event_id", .integer), Column("taken_until", .time, isNullable: true)]),
        // Behind the events, each of which would be put into the outbox once more.
        TransferTable("outbox_reader", [Column("is_the_only_row", .boolean)]),
    ]
}
