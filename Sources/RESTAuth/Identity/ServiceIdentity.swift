/// A service account that has shown one of its tokens.
///
/// It is no user: it has no roles, and what is for users refuses it.
public struct ServiceIdentity: Sendable, Hashable {
    /// The id that the operator chose.
    public let id: String
    /// The words that the token allows (RFC 6749 section 3.3).
    public let scope: Set<String>
    /// The id of the token.
    public let tokenID: ProgramToken.ID

    package init(id: String, scope: Set<String>, tokenID: ProgramToken.ID) {
        self.id = id
        self.scope = scope
        self.tokenID = tokenID
    }

    /// `sub` of the account, and its name where a user would have one. No user has it: a user's
    /// `sub` is a number, and no name has a colon.
    public var subject: String { "service:\(id)" }
}
