/// Imports users who come as lines of a text that need not have an end, in batches.
///
/// A ``UserImport`` reads everything before it writes anything, which takes memory for every user.
/// Here each batch is written by itself, with ``UserImport/Concessions/leavingOut``: what was
/// reported is stored, whatever becomes of the rest. So a name that comes again in a later batch is
/// that of a user who is there already. Ids come in any order: those that the batches before passed
/// by are free as long as the import runs, and after it they are nobody's.
package actor StreamedImport {
    private let users: UserImport
    private let concessions: UserImport.Concessions
    private let isTrial: Bool
    private var passed: PassedIDs

    /// - Parameters:
    ///   - users: the import, which is run once for each batch.
    ///   - concessions: the treatment of users who would be refused; they are left out in any case.
    ///   - isTrial: whether everything is checked and nothing written.
    ///   - passed: the ids that are free for this import: none at its beginning.
    package init(
        _ users: UserImport, allowing concessions: UserImport.Concessions, isTrial: Bool,
        passed: PassedIDs = PassedIDs()
    ) {
        self.users = users
        self.concessions = concessions.union(.leavingOut)
        self.isTrial = isTrial
        self.passed = passed
    }

    /// Imports the users in these lines, each of which is a JSON object as ``JSONLines`` reads it.
    /// Blank lines are passed over. One call at a time.
    /// - Returns: the outcomes, in the order of the lines.
    /// - Throws: the error of the storage. Users of these lines may be stored then; with the same
    ///   lines again they are skipped. `validation_failed` where the ids are in such disorder that
    ///   those which are free take too much memory.
    package func run(_ lines: [LineSplitter.Line]) async throws -> [ImportNote] {
        let entries = lines.compactMap(JSONLines.entry)
        guard !entries.isEmpty else { return [] }
        try passed.check()
        var notes: [ImportNote] = []
        // Taken away meanwhile, so that it is changed in its place.
        var passed = PassedIDs()
        swap(&passed, &self.passed)
        defer { self.passed = passed }
        _ = try await users.run(Batch(entries), allowing: concessions, isTrial: isTrial, passed: &passed) {
            settled, _ in notes += settled
        }
        return notes.sorted { $0.place.lineNumber < $1.place.lineNumber }
    }

    /// Some users, all at hand.
    private actor Batch: UserSource {
        private let entries: [ImportBatch.Entry]
        private var done = 0

        init(_ entries: [ImportBatch.Entry]) { self.entries = entries }

        func next(_ limit: Int) -> ImportBatch {
            let end = min(entries.count, done + limit)
            defer { done = end }
            return ImportBatch(entries: Array(entries[done..<end]), done: end, total: entries.count)
        }
    }
}

extension ImportPlace {
    fileprivate var lineNumber: Int { if case .line(let number) = self { number } else { 0 } }
}
