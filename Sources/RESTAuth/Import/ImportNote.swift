/// What became of one user of a source, in words for whoever runs the import. It never has the
/// hash.
public struct ImportNote: Sendable {
    public enum Outcome: Sendable, Hashable {
        /// - Parameters:
        ///   - id: the one that the user has now; `nil` in a trial.
        ///   - former: the one that the user had, where it was not free, or is none here.
        case imported(id: User.ID?, former: User.ID?)
        /// A user of that name is there already.
        case skipped
        case refused(ImportRefusal)
    }

    public let place: ImportPlace
    /// As the source has it; `nil` where it cannot be read.
    public let username: String?
    public let outcome: Outcome
    /// Whether the user came in, or would, without a password.
    public let lacksPassword: Bool

    init(place: ImportPlace, username: String?, outcome: Outcome, lacksPassword: Bool = false) {
        self.place = place
        self.username = username
        self.outcome = outcome
        self.lacksPassword = lacksPassword
    }
}

/// Why a user did not come in.
public struct ImportRefusal: Error, Hashable {
    /// For counting: the refusals of one kind are mended in the same way.
    public enum Kind: String, Sendable, CaseIterable {
        case unreadable = "not readable"
        case name = "name not acceptable"
        case duplicate = "name twice"
        case id = "id not free"
        case impossibleID = "id not possible"
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

/// How far an import is.
public struct ImportProgress: Sendable {
    public enum Step: Sendable {
        /// The source is read, and everyone in it is looked at.
        case checking
        case writing
    }

    public let step: Step
    /// Of ``total``, in whatever unit.
    public let done: Int
    /// 0 where nobody knows.
    public let total: Int
}

/// How many users had which outcome.
public struct ImportCounts: Sendable, Hashable {
    /// Whether anybody came in; otherwise the counts say what would have become of the users.
    public internal(set) var isWritten = false
    public internal(set) var imported = 0
    /// Of those, the ones without a password.
    public internal(set) var withoutPassword = 0
    /// Of those, the ones with another id than they had.
    public internal(set) var renumbered = 0
    public internal(set) var skipped = 0
    /// Of those who were refused, the ones whose ids could not be read, though others have some:
    /// who is left out then has no id that is kept.
    public internal(set) var unknownIDs = 0
    public internal(set) var refused: [ImportRefusal.Kind: Int] = [:]

    public var refusals: Int { refused.values.reduce(0, +) }

    mutating func add(_ note: ImportNote) {
        switch note.outcome {
        case .imported(_, let former):
            imported += 1
            if note.lacksPassword { withoutPassword += 1 }
            if former != nil { renumbered += 1 }
        case .skipped: skipped += 1
        case .refused(let refusal): refused[refusal.kind, default: 0] += 1
        }
    }
}
