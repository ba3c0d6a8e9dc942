/// The state of a user's passkeys, as a method of `PublicKeyCredential` takes it to tell an
/// authenticator (WebAuthn Level 3 section 5.1.10).
package enum PasskeySignal {
    /// For `signalAllAcceptedCredentials()`: these passkeys of the user are good, and no others.
    package static func acceptedCredentials(
        _ ids: [[UInt8]], ofUser handle: [UInt8], at relyingParty: RelyingParty
    ) -> JSON {
        [
            "rpId": .string(relyingParty.id), "userId": .string(Base64.url.encode(handle)),
            "allAcceptedCredentialIds": .array(ids.map { .string(Base64.url.encode($0)) }),
        ]
    }
}
