/// The members that the answers of both ceremonies have, as browsers write them in JSON
/// (`PublicKeyCredential.toJSON()`, WebAuthn Level 3 section 5.1).
///
/// All other members are ignored, also copies of what the server decodes itself (`publicKey`,
/// `authenticatorData` of a registration). A member that is `null` counts as missing.
struct PasskeyAnswer: Sendable {
    let credentialID: [UInt8]
    let response: JSON
    let extensions: JSON?

    /// - Throws: `malformed`, `different_ids`.
    init(_ json: JSON) throws(PasskeyRefusal) {
        guard let id = json["id"]?.string, let rawID = json["rawId"]?.string, json["type"] == "public-key",
            let bytes = Self.bytes(rawID, 1...AttestedCredential.idLengths.upperBound), let response = json["response"]
        else { throw .malformed }
        guard id.utf8.elementsEqual(rawID.utf8) else { throw .differentIDs }
        extensions = Self.present(json["clientExtensionResults"])
        credentialID = bytes
        self.response = response
    }

    /// The bytes of a member of the response.
    func bytes(_ name: String, _ lengths: ClosedRange<Int>) throws(PasskeyRefusal) -> [UInt8] {
        guard let text = response[name]?.string, let bytes = Self.bytes(text, lengths) else { throw .malformed }
        return bytes
    }

    func optionalBytes(_ name: String, _ lengths: ClosedRange<Int>) throws(PasskeyRefusal) -> [UInt8]? {
        Self.present(response[name]) == nil ? nil : try bytes(name, lengths)
    }

    static func present(_ json: JSON?) -> JSON? { json == .null ? nil : json }

    /// Base64url of so many bytes. The length is looked at before anything is decoded.
    private static func bytes(_ text: String, _ lengths: ClosedRange<Int>) -> [UInt8]? {
        guard text.utf8.count <= (lengths.upperBound * 4 + 2) / 3, let bytes = Base64.url.decode(text.utf8),
            lengths.contains(bytes.count)
        else { return nil }
        return bytes
    }
}
