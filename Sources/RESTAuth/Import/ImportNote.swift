/// What became of one user of a source, in words for whoever runs the import. It never has the
/// hash.
public struct ImportNote: Sendable {
    public enum Outcome: Sendable, Hashable {
        /// - Parameters:
        ///   - id: the one that the user has now; `nil` in a trial.
        ///   - former: the one that the user had, where it was not free.
        case imported(id: User.ID?, former: User.ID?)
        /// A user of that name is there already.
        case skipped
        case refused(ImportRefusal)
    }

    public let place: ImportPlace
    /// As the source has it; `nil` where it cannot be read.
    public let username: String?
    public let outcome: Outcome
}

/// Why a user did not come in.
public struct ImportRefusal: Error, Hashable {
    /// For counting: the refusals of one kind are mended in the same way.
    public enum Kind: String, Sendable, CaseIterable {
        case unreadable = "not readable"
        case name = "name not acceptable"
        case duplicate = "name twice"
        case noPassword = "no usable password"
        case unknownHash = "unknown kind of hash"
        case weakHash = "hash too weak"
        case costlyHash = "hash too costly"
        case roles = "roles not acceptable"
        case legacyID = "id of the Flask server twice"
    }

    public let kind: Kind
    public let reason: String
}

/// How many users had which outcome.
public struct ImportCounts: Sendable, Hashable {
    public internal(set) var imported = 0
    /// Of those, the ones with another id than they had.
    public internal(set) var renumbered = 0
    public internal(set) var skipped = 0
    public internal(set) var refused: [ImportRefusal.Kind: Int] = [:]

    public var refusals: Int { refused.values.reduce(0, +) }

    mutating func add(_ outcome: ImportNote.Outcome) {
        switch outcome {
        case .imported(_, let former):
            imported += 1
            if former != nil { renumbered += 1 }
        case .skipped: skipped += 1
        case .refused(let refusal): refused[refusal.kind, default: 0] += 1
        }
    }
}
