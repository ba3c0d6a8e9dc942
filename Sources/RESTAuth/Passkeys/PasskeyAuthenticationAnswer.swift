/// The answer of a browser when a passkey was used (`AuthenticationResponseJSON`, WebAuthn Level 3
/// section 5.1).
package struct PasskeyAuthenticationAnswer: Sendable {
    /// Id of the passkey, as the authenticator knows it.
    package let credentialID: [UInt8]
    package let clientDataJSON: [UInt8]
    package let authenticatorData: [UInt8]
    package let signature: [UInt8]
    /// User handle of the passkey, where the authenticator says it.
    package let userHandle: [UInt8]?

    /// Lengths of a user handle in bytes (section 5.4.3).
    package static let userHandleLengths = 1...64
    /// Lengths of a signature in bytes: an RSA key of 4096 bits makes 512.
    package static let signatureLengths = 1...512

    /// - Throws: `malformed`, `different_ids`.
    package init(_ json: JSON) throws(PasskeyRefusal) {
        let answer = try PasskeyAnswer(json)
        credentialID = answer.credentialID
        clientDataJSON = try answer.bytes("clientDataJSON", 1...ClientData.maximumLength)
        authenticatorData = try answer.bytes("authenticatorData", 1...AuthenticatorData.maximumLength)
        signature = try answer.bytes("signature", Self.signatureLengths)
        userHandle = try answer.optionalBytes("userHandle", Self.userHandleLengths)
    }
}
