/// What came of an attempt to sign in.
public enum SignIn: Sendable {
    /// Everything is proven that the user has to prove. Only here a sign-in is counted, and
    /// recorded, as a success.
    case complete(UserIdentity)
    /// The password was right, and the user has other factors: one of them has to follow, with the
    /// ticket. Until then it is neither a success nor a failure.
    case continues(SignInTicket, with: [FactorDescription])

    /// Who has signed in.
    /// - Throws: `mfa_required` when another factor has to follow.
    public func completed() throws(AuthError) -> UserIdentity {
        guard case .complete(let identity) = self else { throw .mfaRequired }
        return identity
    }
}

/// What a client is told of a factor that may follow the password.
public struct FactorDescription: Sendable, Hashable {
    /// By which the answer says what it is an answer to.
    public let name: String
    /// What it proves.
    public let method: Authentication.Method

    /// Byte by byte: what is compared came in a request.
    func isNamed(_ text: String) -> Bool { name.utf8.elementsEqual(text.utf8) }
}

/// A way to prove who one is that follows the password.
package struct Factor: Sendable {
    package let description: FactorDescription
    /// Whether a user has it.
    package let belongs: @Sendable (_ user: User.ID) async throws -> Bool
    /// Whether an answer is right. Called at most ``SignInTicket/tries`` times for a ticket; that
    /// no answer is taken twice is its own business.
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
