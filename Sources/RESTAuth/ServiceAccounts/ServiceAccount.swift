public import Foundation

/// An account of a program that acts for itself: it has no password, and signs in with tokens that
/// an operator makes.
public struct ServiceAccount: Sendable, Hashable, Identifiable {
    /// Id, chosen by the operator.
    public let id: String
    /// The user whom to ask about it; `nil` for none, and after that user's deletion.
    public let ownerID: User.ID?
    /// Words about it, for operators.
    public let note: String?
    /// Time when it was added.
    public let createdAt: Date

    public init(id: String, ownerID: User.ID?, note: String?, createdAt: Date) {
        self.id = id
        self.ownerID = ownerID
        self.note = note
        self.createdAt = createdAt
    }
}

extension AuthError {
    /// Thrown by backends, as the storage decides.
    package static func serviceAccountAlreadyExists(_ id: ServiceAccount.ID) -> AuthError {
        AuthError(.serviceAccountAlreadyExists, "there is a service account \(id) already", field: "id")
    }

    package static let ownerNotFound = AuthError(.validationFailed, "there is no such user", field: "owner_id")
}

/// Storage of service accounts.
public protocol ServiceAccountStorage: Sendable {
    /// Stores a new account.
    /// - Throws: `service_account_already_exists`; `validation_failed` for an owner who is not
    ///   there.
    func insertServiceAccount(_ account: ServiceAccount, recording event: AuthEvent) async throws

    func serviceAccount(id: ServiceAccount.ID) async throws -> ServiceAccount?

    /// Lists at most `limit` accounts in the order of their ids, byte by byte; with `id`, only
    /// those after that one.
    func serviceAccounts(after id: ServiceAccount.ID?, limit: Int) async throws -> [ServiceAccount]

    /// Deletes an account with its tokens, writes a revocation log entry for each of them, as for a
    /// deleted token, and records the event.
    /// - Returns: the entries; `nil` when there is no such account.
    func deleteServiceAccount(
        id: ServiceAccount.ID, at now: Date, recording event: AuthEvent
    ) async throws -> [Revocation]?
}
