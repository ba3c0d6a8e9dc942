/// What an authenticator should learn of changes here, as the methods of `PublicKeyCredential` take
/// it (WebAuthn Level 3 section 5.1.10).
package enum PasskeySignal {
    /// For `signalUnknownCredential()`: this passkey is good for nothing.
    package static func unknownCredential(_ id: [UInt8], at relyingParty: RelyingParty) -> JSON {
        ["rpId": .string(relyingParty.id), "credentialId": .string(Base64.url.encode(id))]
    }

    /// For `signalAllAcceptedCredentials()`: these passkeys of the user are good, and no others.
    package static func acceptedCredentials(
        _ ids: [[UInt8]], ofUser handle: [UInt8], at relyingParty: RelyingParty
    ) -> JSON {
        [
            "rpId": .string(relyingParty.id), "userId": .string(Base64.url.encode(handle)),
            "allAcceptedCredentialIds": .array(ids.map { .string(Base64.url.encode($0)) }),
        ]
    }

    /// For `signalCurrentUserDetails()`: the names of the user today.
    package static func userDetails(
        username: String, displayName: String, ofUser handle: [UInt8], at relyingParty: RelyingParty
    ) -> JSON {
        [
            "rpId": .string(relyingParty.id), "userId": .string(Base64.url.encode(handle)),
            "name": .string(username), "displayName": .string(displayName),
        ]
    }
}
