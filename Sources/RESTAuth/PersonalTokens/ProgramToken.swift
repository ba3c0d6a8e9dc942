public import Foundation

/// A token for a program: opaque, valid for long, of a user or of a service account.
public enum ProgramToken {
    /// Id of a token. No session has the same, so an entry of the revocation log about a session
    /// refuses a token as well.
    public typealias ID = Session.ID

    /// The one on whose behalf a program acts.
    public enum Holder: Sendable, Hashable {
        /// A user, whose rights limit what the token can do.
        case user(User.ID)
        /// A service account, which stands for no user.
        case service(ServiceAccount.ID)
    }

    /// The lifetime that is asked for.
    public enum Lifetime: Sendable, Hashable {
        /// ``AuthConfiguration/personalTokenLifetime`` for a token of a user,
        /// ``ServiceAccounts/standardLifetime`` for one of a service account.
        case standard
        /// That many seconds from the creation of the token.
        case seconds(Int)
        /// Until it is deleted.
        case unlimited
    }

    /// Range of the time for which a token lives on after its rotation, in seconds, where it is not
    /// refused at once (0): two minutes to 7 days. A node believes for a minute what it has read,
    /// and a verifier elsewhere for another what that node has told it, so that within two minutes
    /// all know when the token expires.
    public static let overlaps = 2 * Int(ProgramTokens.memory)...7 * 86400
    /// Time for which a token lives on after its rotation, unless another is asked for: a day.
    public static let standardOverlap = 86400
    /// Range of lifetimes: a minute to ten years, in seconds.
    package static let lifetimes = 60...3650 * 86400
    /// Checks the time for which a token is to live on after its rotation.
    /// - Throws: `validation_failed` for any that is neither 0 nor in ``overlaps``.
    static func checkOverlap(_ seconds: Int) throws(AuthError) {
        guard seconds == 0 || overlaps.contains(seconds) else {
            throw AuthError(
                .validationFailed,
                "the overlap is 0, or from \(overlaps.lowerBound) to \(overlaps.upperBound) seconds", field: "overlap")
        }
    }

    /// Number of expired tokens that a holder keeps.
    package static let expiredLimit = 50
    /// Time for which an expired token is listed, in seconds.
    static let listedAfterExpiry: TimeInterval = 30 * 86400
}

/// A token for a program as it is stored: without the token itself.
public struct StoredProgramToken: Sendable, Hashable, Identifiable {
    /// Id, by which requests and events name the token.
    public let id: ProgramToken.ID
    /// The user or the service account on whose behalf the token is used.
    public let holder: ProgramToken.Holder
    /// Name by which its owner knows it.
    public let name: String
    /// Words that it allows (RFC 6749 section 3.3).
    public let scopes: Set<String>
    /// Last four characters of the token.
    public let lastFour: String
    /// Time when it was made.
    public let createdAt: Date
    /// Seconds from its creation to its expiry, which its rotation begins anew; `nil` for none.
    public let lifetime: Int?
    /// Expiry; earlier than the lifetime says for a token that has been rotated. `nil` for none.
    public let expiresAt: Date?
    /// Time of its last use, to about a minute.
    public let lastUsedAt: Date?
    /// Time when another took its place; `nil` for a token that was not rotated.
    public let rotatedAt: Date?

    public init(
        id: ProgramToken.ID, holder: ProgramToken.Holder, name: String, scopes: Set<String>, lastFour: String,
        createdAt: Date, lifetime: Int?, expiresAt: Date?, lastUsedAt: Date? = nil,
        rotatedAt: Date? = nil
    ) {
        self.id = id
        self.holder = holder
        self.name = name
        self.scopes = scopes
        self.lastFour = lastFour
        self.createdAt = createdAt
        self.lifetime = lifetime
        self.expiresAt = expiresAt
        self.lastUsedAt = lastUsedAt
        self.rotatedAt = rotatedAt
    }

    /// Whether it is refused because of its age.
    public func isExpired(at now: Date) -> Bool { expiresAt.map { $0 <= now } ?? false }

    /// Its scopes as one text, as a row stores them; sorted.
    package var scopeText: String { scopes.sorted().joined(separator: " ") }

}

extension StoredProgramToken {
    /// The token with a use of which the storage does not know yet.
    func used(at date: Date) -> StoredProgramToken {
        StoredProgramToken(
            id: id, holder: holder, name: name, scopes: scopes, lastFour: lastFour, createdAt: createdAt,
            lifetime: lifetime, expiresAt: expiresAt, lastUsedAt: max(date, lastUsedAt ?? date), rotatedAt: rotatedAt)
    }

    /// The token that takes the place of this one.
    package func succeeded(by successor: ProgramTokenSuccessor) -> StoredProgramToken {
        StoredProgramToken(
            id: successor.id, holder: holder, name: name, scopes: scopes, lastFour: successor.lastFour,
            createdAt: successor.createdAt, lifetime: successor.lifetime,
            expiresAt: successor.lifetime.map { successor.createdAt.addingTimeInterval(TimeInterval($0)) })
    }
}

/// A new token, shown once.
public struct NewProgramToken: Sendable, Redacted {
    /// The token, for its program only: `ra_pat_` or `ra_svc_` and 36 letters and digits.
    public let value: String
    /// The token as it is stored.
    public let token: StoredProgramToken
}

/// A token that has taken the place of another.
public struct RotatedProgramToken: Sendable, Redacted {
    /// The new token, shown once.
    public let new: NewProgramToken
    /// Expiry of the token before.
    public let previousExpiresAt: Date
}
