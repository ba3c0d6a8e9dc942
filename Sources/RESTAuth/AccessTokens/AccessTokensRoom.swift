/// Tokens that identify a user.
package enum AccessTokensRoom: Room {
    package static let name = "access tokens"

    package static let events: [AuthEvent.Name] = [.tokenIssued]
}

extension AuthEvent.Name {
    public static let tokenIssued = Self("token.issued", isDurable: false)
}
