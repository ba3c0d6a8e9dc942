/// Signing in with a mail address in the place of the name.
extension Login {
    /// The name that was typed, or that of the user who has verified the typed address, where
    /// addresses are accepted. By that name guesses are counted, whichever was typed.
    ///
    /// A name comes first: a user whose name looks like the address of another never gets that
    /// account, and is found in its place. An address costs the same queries whether somebody has
    /// it or not.
    /// - Returns: `nil` for a text that can be neither.
    func account(typed text: String) async throws -> Username? {
        let typed = try? Username(whoever: text)
        guard acceptsAddresses, let address = try? EmailAddress(text) else { return typed }
        let named =
            if let typed { try await storage.credentials(canonicalUsername: typed.canonical) } else {
                nil as StoredCredentials?
            }
        let owner = try await storage.username(verifiedEmail: address.key)
        guard named == nil, let owner else { return typed }
        return try? Username(whoever: owner)
    }
}
