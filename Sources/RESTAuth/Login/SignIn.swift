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
