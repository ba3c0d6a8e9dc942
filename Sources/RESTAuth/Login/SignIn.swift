/// The result of an attempt to sign in.
public enum SignIn: Sendable {
    /// The user has proven all that is required. Only now the sign-in is counted, and recorded, as
    /// a success.
    case complete(UserIdentity)
    /// The password was right, and the user has other factors: one of them has to follow, with the
    /// ticket. Until then the sign-in is neither a success nor a failure.
    case continues(SignInTicket, with: [FactorDescription])

    /// The identity of the user who has signed in.
    /// - Throws: `mfa_required` when another factor has to follow.
    public func completed() throws(AuthError) -> UserIdentity {
        guard case .complete(let identity) = self else { throw .mfaRequired }
        return identity
    }
}

/// A factor that may follow the password, as a client sees it.
public struct FactorDescription: Sendable, Hashable {
    /// Name of the factor, sent back with the answer.
    public let name: String
    /// The method that the factor proves.
    public let method: Authentication.Method

    /// Whether that is the name. Compared byte by byte, because `text` came in a request.
    func isNamed(_ text: String) -> Bool { name.utf8.elementsEqual(text.utf8) }
}

/// A proof of identity that follows the password.
package struct Factor: Sendable {
    package let description: FactorDescription
    /// Whether a user has this factor.
    package let belongs: @Sendable (_ user: User.ID) async throws -> Bool
    /// Whether an answer is right. Called at most ``SignInTicket/tries`` times for a ticket. The
    /// factor itself makes sure that no answer is accepted twice.
    package let isRight: @Sendable (_ answer: String, _ user: User.ID) async throws -> Bool

    package init(
        name: String, method: Authentication.Method,
        belongs: @escaping @Sendable (_ user: User.ID) async throws -> Bool,
        isRight: @escaping @Sendable (_ answer: String, _ user: User.ID) async throws -> Bool
    ) {
        description = FactorDescription(name: name, method: method)
        self.belongs = belongs
        self.isRight = isRight
    }
}
