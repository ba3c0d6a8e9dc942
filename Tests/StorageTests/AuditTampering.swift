import Testing

/// A change made by somebody who can write to the database.
struct Tampering: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let sql: String
    /// A part of the message that reports it.
    let words: String

    private init(_ testDescription: String, _ sql: String, _ words: String) {
        self.testDescription = testDescription
        self.sql = sql
        self.words = words
    }

    private static func altered(_ column: String, _ value: String) -> Tampering {
        Tampering(
            "another \(column)", "UPDATE audit_events SET \(column) = \(value) WHERE number = 4",
            "row 4 is not what was sealed")
    }

    static let all = [
        altered("name", "'user.enabled'"), altered("details", "'{}'"), altered("user_id", "8"),
        altered("user_id", "NULL"), altered("actor_kind", "'client'"), altered("actor_id", "'somebody'"),
        altered("actor_id", "''"), altered("request_id", "'x'"), altered("address", "''"),
        altered("user_agent", "'curl'"), altered("id", "100"),
        altered("session_id", "'00000000-0000-7000-8000-000000000000'"),
        altered("seal", "(SELECT seal FROM audit_events AS other WHERE number = 5)"),
        altered("seal", "substr(seal, 1, 4)"),
        Tampering(
            "another time",
            "UPDATE audit_events SET at = (SELECT at FROM audit_events WHERE number = 5) WHERE number = 4",
            "row 4 is not what was sealed"),
        Tampering("a row removed in the middle", "DELETE FROM audit_events WHERE number = 4", "row 4 is missing"),
        Tampering(
            "rows removed in the middle", "DELETE FROM audit_events WHERE number IN (4, 5)", "rows 4 to 5 are missing"),
        Tampering("the first row removed", "DELETE FROM audit_events WHERE number = 1", "row 1 is missing"),
        Tampering("the last row removed", "DELETE FROM audit_events WHERE number = 9", "row 9 is missing"),
        Tampering("all rows removed", "DELETE FROM audit_events", "rows 1 to 9 are missing"),
        Tampering(
            "a number taken away", "UPDATE audit_events SET number = NULL, seal = NULL WHERE number = 9",
            "row 9 is missing"),
        Tampering(
            "two swapped",
            """
            UPDATE audit_events SET number = 100 WHERE number = 4;
            UPDATE audit_events SET number = 4 WHERE number = 5;
            UPDATE audit_events SET number = 5 WHERE number = 100
            """, "row 4 is not what was sealed"),
        Tampering(
            "two swapped with their seals",
            """
            UPDATE audit_events SET number = 100, seal = (SELECT seal FROM audit_events AS other WHERE number = 5)
                WHERE number = 4;
            UPDATE audit_events SET number = 4, seal = (SELECT seal FROM audit_events AS other WHERE number = 3)
                WHERE number = 5;
            UPDATE audit_events SET number = 5 WHERE number = 100
            """, "row 4 is not what was sealed"),
        Tampering(
            "the beginning cut off, and the anchor moved",
            """
            DELETE FROM audit_events WHERE number <= 3;
            UPDATE audit_chain SET pruned_number = 3
            """, "beginning and end"),
        Tampering("the end set back", "UPDATE audit_chain SET number = 8", "beginning and end"),
        Tampering("the end removed", "DELETE FROM audit_chain", "the end of the trail was removed"),
        Tampering(
            "a row added",
            """
            INSERT INTO audit_events (at, name, actor_kind, details, number, seal)
            SELECT at, name, actor_kind, details, 10, seal FROM audit_events WHERE number = 9
            """, "row 10 is beyond the end"),
    ]
}
