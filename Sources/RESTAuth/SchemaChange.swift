/// A step from one version of the schema to the next, as a room brings it to a backend.
///
/// One that was released is never changed, only followed by another.
package struct SchemaChange: Sendable, Hashable {
    /// One more than that of the change before, whichever room made it; the same in every backend.
    package let number: Int
    /// What comes with it, in a few words; the same in every backend.
    package let title: String
    /// Statements in the backend's own SQL, run in one transaction.
    package let script: String

    package init(_ number: Int, _ title: String, _ script: String) {
        self.number = number
        self.title = title
        self.script = script
    }

    /// The greatest number that the history of a backend has up to version 0.2, when changes were
    /// no room's.
    package static let lastOfHistory = 8

    /// The changes of all rooms in the order of their numbers.
    /// - Throws: `misconfigured` when two have one number, or one is left out.
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
