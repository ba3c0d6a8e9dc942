/// The authenticator data of an answer: what an authenticator says of itself and of a ceremony
/// (WebAuthn Level 3 section 6.1).
package struct AuthenticatorData: Sendable {
    /// Bits that are reserved are passed over: two that were so in Level 2 have a meaning today.
    package struct Flags: OptionSet, Sendable {
        package let rawValue: UInt8
        package init(rawValue: UInt8) { self.rawValue = rawValue }

        package static let userPresent = Flags(rawValue: 0x01)
        package static let userVerified = Flags(rawValue: 0x04)
        package static let backupEligible = Flags(rawValue: 0x08)
        package static let backedUp = Flags(rawValue: 0x10)
        package static let hasCredential = Flags(rawValue: 0x40)
        package static let hasExtensions = Flags(rawValue: 0x80)
    }

    package let relyingPartyIDHash: ArraySlice<UInt8>
    package let flags: Flags
    package let signCount: UInt32
    package let credential: AttestedCredential?

    /// Longest authenticator data in bytes; a credential with the longest id and the largest key
    /// has less than half.
    package static let maximumLength = 4_096

    /// Reads the whole of `bytes`; extensions are read and not kept, for none are asked for.
    package init?(_ bytes: ArraySlice<UInt8>) {
        guard bytes.count <= Self.maximumLength else { return nil }
        var rest = bytes
        guard let hash = rest.take(32), let flags = rest.popFirst().map(Flags.init(rawValue:)),
            let count = rest.take(4)
        else { return nil }
        relyingPartyIDHash = hash
        self.flags = flags
        signCount = UInt32(truncatingIfNeeded: count.bigEndian)
        if flags.contains(.hasCredential) {
            guard let (credential, after) = AttestedCredential.first(of: rest) else { return nil }
            self.credential = credential
            rest = after
        } else {
            credential = nil
        }
        if flags.contains(.hasExtensions) {
            guard let (extensions, after) = CBOR.first(of: rest), extensions.entryCount != nil else { return nil }
            rest = after
        }
        guard rest.isEmpty else { return nil }
    }
}
