/// A step from one version of the schema to the next, contributed by a room to a backend.
///
/// A released change is never edited, only followed by another one.
package struct SchemaChange: Sendable, Hashable {
    /// Number of the change, one more than that of the change before, across all rooms; the same in
    /// every backend.
    package let number: Int
    /// Short description of the change; the same in every backend.
    package let title: String
    /// Statements in the backend's own SQL, run in one transaction.
    package let script: String

    package init(_ number: Int, _ title: String, _ script: String) {
        self.number = number
        self.title = title
        self.script = script
    }

    /// Greatest number of the changes up to version 0.2, which a backend lists itself because they
    /// do not belong to a room.
    package static let lastOfHistory = 8

    /// Sorts the changes of all rooms by number.
    /// - Throws: `misconfigured` when two have the same number, or one is missing.
    package static func inOrder(_ changes: [SchemaChange]) throws(AuthError) -> [SchemaChange] {
        let changes = changes.sorted { $0.number < $1.number }
        for (number, change) in zip((lastOfHistory + 1)..., changes) where change.number != number {
            let fault =
                change.number < number
                ? "\(change.number) is the number of more than one change of the schema"
                : "no change of the schema has the number \(number)"
            throw AuthError(.misconfigured, "\(fault): see \"\(change.title)\"")
        }
        return changes
    }
}
