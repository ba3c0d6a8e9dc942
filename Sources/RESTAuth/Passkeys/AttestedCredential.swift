/// A new credential as authenticator data has it (WebAuthn Level 3 section 6.5.1).
package struct AttestedCredential: Sendable {
    /// The model of the authenticator, 16 bytes; without attestation nobody vouches for it.
    package let aaguid: ArraySlice<UInt8>
    package let id: ArraySlice<UInt8>
    /// The public key as it was encoded, which is how it is stored.
    package let publicKey: ArraySlice<UInt8>
    package let publicKeyItem: CBOR

    /// Lengths of an id in bytes (section 7.1 step 25).
    package static let idLengths = 1...1_023

    /// Reads the credential that these begin with.
    static func first(of bytes: ArraySlice<UInt8>) -> (AttestedCredential, rest: ArraySlice<UInt8>)? {
        var rest = bytes
        guard let aaguid = rest.take(16), let length = rest.take(2)?.bigEndian,
            idLengths.contains(Int(length)), let id = rest.take(Int(length)),
            let (key, after) = CBOR.first(of: rest)
        else { return nil }
        let credential = AttestedCredential(
            aaguid: aaguid, id: id, publicKey: rest.prefix(rest.count - after.count), publicKeyItem: key)
        return (credential, after)
    }
}
