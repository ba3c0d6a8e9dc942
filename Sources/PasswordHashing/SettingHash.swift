/// A hash that can be taken apart as crypt(3) does it: into a setting, which says how a password is
/// hashed, and the digest.
protocol SettingHash: StoredHash {
    /// Everything but the digest, in the one spelling that ``StoredHash/init(_:)`` reads back.
    var setting: String { get }
    /// The digest as it is compared; empty for a setting alone.
    var digest: [UInt8] { get }
    /// The number of digests that a password has: more than one where the text does not tell which
    /// of several constructions was used.
    var ways: Int { get }

    /// The digests of `password`, one for each of the ``ways``.
    func digests(of password: [UInt8]) throws(PasswordHashingError) -> [[UInt8]]
}

extension SettingHash {
    var ways: Int { 1 }

    func verify(_ password: [UInt8]) throws(PasswordHashingError) -> Bool {
        // All are compared, even when the first one matches.
        try digests(of: password).map { Sodium.isEqual($0, digest) }.contains(true)
    }
}
