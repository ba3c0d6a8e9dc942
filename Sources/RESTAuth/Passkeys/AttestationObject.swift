/// A new credential with what is said about its authenticator (WebAuthn Level 3 section 6.5.4).
package struct AttestationObject: Sendable {
    package let format: ArraySlice<UInt8>
    package let statement: CBOR
    package let authenticatorData: ArraySlice<UInt8>

    /// Longest attestation object in bytes.
    package static let maximumLength = 8_192

    package init?(_ bytes: [UInt8]) {
        guard bytes.count <= Self.maximumLength, let item = CBOR(bytes[...]), item.entryCount == 3,
            let format = item["fmt"]?.text, let statement = item["attStmt"], statement.entryCount != nil,
            let data = item["authData"]?.bytes
        else { return nil }
        self.format = format
        self.statement = statement
        authenticatorData = data
    }

    /// Checks the statement (section 7.1 steps 21 to 24).
    ///
    /// We ask for none, so a client hands on none, or the one that names no model: a signature of
    /// the new key itself (section 5.1.3). Whatever else comes was not asked for, and is refused
    /// rather than believed unread.
    /// - Throws: `attestationFormat`, `attestationStatement`.
    func verify(by key: PasskeyPublicKey, clientDataHash: [UInt8]) throws(PasskeyRefusal) {
        if format.elementsEqual("none".utf8) {
            // Section 8.7.
            guard statement.entryCount == 0 else { throw .attestationStatement }
        } else if format.elementsEqual("packed".utf8), statement["x5c"] == nil {
            // Section 8.2.
            guard statement.entryCount == 2, statement["alg"] == CBOR(key.algorithm.rawValue),
                let signature = statement["sig"]?.bytes,
                key.accepts(Array(signature), for: authenticatorData + clientDataHash)
            else { throw .attestationStatement }
        } else {
            throw .attestationFormat
        }
    }
}
