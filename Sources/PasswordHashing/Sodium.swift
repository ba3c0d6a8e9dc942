import CSodium

/// What every call of libsodium needs.
enum Sodium {
    /// 0 or 1 when ready, -1 on failure; evaluated once.
    private static let outcome = sodium_init()

    static func start() throws(PasswordHashingError) {
        guard outcome >= 0 else { throw .unavailable }
    }

    /// An empty array has no address, which C would not take: one byte is lent in its place and
    /// none of it is read.
    static func withCharacters(of password: [UInt8], _ body: (UnsafePointer<CChar>, UInt64) -> Int32) -> Int32 {
        (password + [0]).withUnsafeBytes { bytes in
            body(bytes.assumingMemoryBound(to: CChar.self).baseAddress!, UInt64(password.count))
        }
    }

    /// In a time that does not tell where they differ.
    static func isEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        left.count == right.count && sodium_memcmp(left, right, left.count) == 0
    }
}
