/// The options that a browser takes when a passkey is to be made or used, as
/// `PublicKeyCredential.parseCreationOptionsFromJSON()` and `parseRequestOptionsFromJSON()` read it
/// (WebAuthn Level 3 sections 5.1.8 and 5.1.9).
public struct PasskeyOptions: Sendable {
    package let json: JSON

    /// The JSON text.
    public var text: String { json.text }

    /// Options for making one.
    /// - Parameters:
    ///   - userHandle: 64 random bytes that stand for the user.
    ///   - username: shown by the authenticator, as the name for people is.
    ///   - displayName: the name for people.
    ///   - existing: the passkeys of the user: none is made on an authenticator that has one.
    ///   - isAlone: whether it has to sign in by itself: without a name, and with a PIN or a
    ///     finger. Otherwise it is as good as the authenticator makes it.
    package static func creation(
        for relyingParty: RelyingParty, challenge: [UInt8], userHandle: [UInt8], username: String, displayName: String,
        existing: [PasskeyDescriptor], isAlone: Bool
    ) -> PasskeyOptions {
        let need: JSON = isAlone ? "required" : "preferred"
        return PasskeyOptions(json: [
            "rp": ["id": .string(relyingParty.id), "name": .string(relyingParty.name)],
            "user": [
                "id": .string(Base64.url.encode(userHandle)), "name": .string(username),
                "displayName": .string(displayName),
            ],
            "challenge": .string(Base64.url.encode(challenge)),
            "pubKeyCredParams": .array(
                PasskeyAlgorithm.allCases.map { ["type": "public-key", "alg": .integer($0.rawValue)] }),
            "timeout": .integer(timeout),
            "excludeCredentials": .array(existing.map(\.json)),
            "authenticatorSelection": [
                "residentKey": need, "requireResidentKey": .bool(isAlone), "userVerification": need,
            ],
            "attestation": "none",
            "extensions": ["credProps": true],
        ])
    }

    /// Options for using one.
    /// - Parameter allowed: the passkeys that will do; none for any that the browser has.
    package static func request(
        for relyingParty: RelyingParty, challenge: [UInt8], requiresUserVerification: Bool,
        allowed: [PasskeyDescriptor] = []
    ) -> PasskeyOptions {
        PasskeyOptions(json: [
            "challenge": .string(Base64.url.encode(challenge)),
            "timeout": .integer(timeout),
            "rpId": .string(relyingParty.id),
            "allowCredentials": .array(allowed.map(\.json)),
            "userVerification": requiresUserVerification ? "required" : "preferred",
        ])
    }

    /// Time that the user has, in milliseconds.
    private static let timeout = PasskeyChallenges.duration * 1_000
}

/// A passkey as options name it (section 5.8.3).
package struct PasskeyDescriptor: Sendable {
    package let credentialID: [UInt8]
    package let transports: [String]

    package init(credentialID: [UInt8], transports: [String]) {
        self.credentialID = credentialID
        self.transports = transports
    }

    fileprivate var json: JSON {
        let json: JSON = ["type": "public-key", "id": .string(Base64.url.encode(credentialID))]
        return transports.isEmpty ? json : json.adding([("transports", .array(transports.map(JSON.string)))])
    }
}
