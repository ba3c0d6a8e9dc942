/// The answer of a browser when a passkey was made (`RegistrationResponseJSON`, WebAuthn Level 3
/// section 5.1).
package struct PasskeyRegistrationAnswer: Sendable {
    package let credentialID: [UInt8]
    package let clientDataJSON: [UInt8]
    package let attestationObject: [UInt8]
    /// Ways to reach the authenticator, which options for using the passkey hand back.
    package let transports: [String]
    /// Whether the passkey can be used without a name, where the browser says so (`credProps`,
    /// section 10.1.3).
    package let isDiscoverable: Bool?

    /// - Throws: `malformed`, `different_ids`.
    package init(_ json: JSON) throws(PasskeyRefusal) {
        let answer = try PasskeyAnswer(json)
        credentialID = answer.credentialID
        clientDataJSON = try answer.bytes("clientDataJSON", 1...ClientData.maximumLength)
        attestationObject = try answer.bytes("attestationObject", 1...AttestationObject.maximumLength)
        transports = try Self.transports(answer.response["transports"])
        if case .bool(let isDiscoverable) = answer.extensions?["credProps"]?["rk"] {
            self.isDiscoverable = isDiscoverable
        } else {
            isDiscoverable = nil
        }
    }

    /// Reads transports: those of section 5.8.4, and any other name that has their form.
    private static func transports(_ json: JSON?) throws(PasskeyRefusal) -> [String] {
        guard let json = PasskeyAnswer.present(json) else { return [] }
        guard case .array(let elements) = json, elements.count <= 8 else { throw .malformed }
        var names: [String] = []
        for element in elements {
            guard let name = element.string, (1...32).contains(name.utf8.count), name.utf8.allSatisfy(isOfName) else {
                throw .malformed
            }
            if !names.contains(name) { names.append(name) }
        }
        return names
    }

    private static func isOfName(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
            || byte == UInt8(ascii: "-")
    }
}
