import CSodium

/// Calls of libsodium: its start, the passing of passwords, and comparison.
enum Sodium {
    /// The result of starting libsodium: 0 or 1 when ready, -1 on failure; evaluated once.
    private static let outcome = sodium_init()

    static func start() throws(PasswordHashingError) {
        guard outcome >= 0 else { throw .unavailable }
    }

    /// Calls `body` with the address of the password. An empty array has no address that C would
    /// take, so one byte more is passed, which is not read.
    static func withCharacters(of password: [UInt8], _ body: (UnsafePointer<CChar>, UInt64) -> Int32) -> Int32 {
        (password + [0]).withUnsafeBytes { bytes in
            body(bytes.assumingMemoryBound(to: CChar.self).baseAddress!, UInt64(password.count))
        }
    }

    /// Compares in a time that does not tell where the two differ.
    static func isEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        left.count == right.count && sodium_memcmp(left, right, left.count) == 0
    }
}
