/// The outcome of one user of a source, in words for the operator. It never contains the hash.
public struct ImportNote: Sendable {
    public enum Outcome: Sendable, Hashable {
        /// - Parameters:
        ///   - id: the new id; `nil` in a trial.
        ///   - former: the id in the source, when the user could not keep it.
        case imported(id: User.ID?, former: User.ID?)
        /// A user with that name exists already.
        case skipped
        case refused(ImportRefusal)
    }

    public let place: ImportPlace
    /// The name in the source; `nil` when it cannot be read.
    public let username: String?
    public let outcome: Outcome
    /// Whether the user was imported, or would be, without a password.
    public let lacksPassword: Bool

    init(place: ImportPlace, username: String?, outcome: Outcome, lacksPassword: Bool = false) {
        self.place = place
        self.username = username
        self.outcome = outcome
        self.lacksPassword = lacksPassword
    }
}

/// The reason why a user was not imported.
public struct ImportRefusal: Error, Hashable {
    /// The kind of reason, for counting: refusals of one kind have the same remedy.
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
        case email = "verified address twice"
    }

    public let kind: Kind
    public let reason: String
}

/// The progress of an import.
public struct ImportProgress: Sendable {
    public enum Step: Sendable {
        /// The source is read, and every user in it is checked.
        case checking
        case writing
    }

    public let step: Step
    /// The part of ``total`` that is done, in the unit of the step.
    public let done: Int
    /// The amount of work of the step; 0 when it is not known.
    public let total: Int
}

/// The number of users with each outcome.
public struct ImportCounts: Sendable, Hashable {
    package init() {}

    /// Whether users were stored; otherwise the counts say what would have happened.
    public internal(set) var isWritten = false
    public internal(set) var imported = 0
    /// The imported users without a password.
    public internal(set) var withoutPassword = 0
    /// The imported users with another id than in the source.
    public internal(set) var renumbered = 0
    public internal(set) var skipped = 0
    /// The refused users whose ids could not be read, while other users have ids: no id is reserved
    /// for them.
    public internal(set) var unknownIDs = 0
    public internal(set) var refused: [ImportRefusal.Kind: Int] = [:]

    public var refusals: Int { refused.values.reduce(0, +) }

    package mutating func add(_ note: ImportNote) {
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
