import Foundation

extension UserIdentity {
    /// The value of a claim that the server's setting `token_claims` names, as it was when the
    /// token was issued; `nil` where there is none, or of another type, and for other credentials
    /// than an access token.
    ///
    ///     guard identity.claim("plan", as: String.self) == "pro" else { throw AuthError(…) }
    public func claim<Value: Decodable>(_ name: String, as type: Value.Type = Value.self) -> Value? {
        guard let value = customClaims.flatMap({ JSON($0.utf8) })?[name] else { return nil }
        return try? JSONDecoder().decode(type, from: Data(value.bytes))
    }
}
