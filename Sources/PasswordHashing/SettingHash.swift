/// A hash that can be taken apart as crypt(3) does it: into a setting, which says how a password is
/// hashed, and the digest that comes of it.
protocol SettingHash: StoredHash {
    /// Everything but the digest, in the one spelling that ``StoredHash/init(_:)`` reads back.
    var setting: String { get }
    /// As it is compared. Empty in what is a setting alone.
    var digest: [UInt8] { get }
    /// How many digests a password has. More than one where the text does not tell which of several
    /// ways it was made in.
    var ways: Int { get }

    /// What comes of `password`, so many as there are ``ways``.
    func digests(of password: [UInt8]) throws(PasswordHashingError) -> [[UInt8]]
}

extension SettingHash {
    var ways: Int { 1 }

    func verify(_ password: [UInt8]) throws(PasswordHashingError) -> Bool {
        // All are compared, whatever came of the first.
        try digests(of: password).map { Sodium.isEqual($0, digest) }.contains(true)
    }
}
