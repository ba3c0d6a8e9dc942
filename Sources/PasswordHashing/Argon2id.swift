import CSodium

/// The function that hashes new passwords: Argon2id (RFC 9106, version 1.3) as libsodium computes
/// it.
///
/// A hash is a PHC string, `$argon2id$v=19$m=19456,t=2,p=1$SALT$TAG`, with a 16-byte salt of its
/// own from the system's random number generator and a 32-byte tag. ``PasswordHash`` verifies it.
public struct Argon2id: Sendable, Hashable {
    /// Memory in KiB. Never below ``minimumMemory``.
    public package(set) var memory: Int
    /// Passes over that memory.
    public package(set) var passes: Int

    /// 19456 KiB (19 MiB), with two passes the least that OWASP's password storage advice accepts
    /// for one lane.
    public static let minimumMemory = 19456
    public static let minimumPasses = 2

    package static let memoryRange = minimumMemory...(4 << 20)
    package static let passesRange = minimumPasses...64

    /// OWASP's minimum: 19 MiB, two passes.
    public static let standard = Argon2id(memory: minimumMemory, passes: minimumPasses)

    /// `nil` for a cost below the minimum, or above what a server could bear (4 GiB, 64 passes).
    public init?(memoryKiB: Int, passes: Int) {
        guard Self.memoryRange.contains(memoryKiB), Self.passesRange.contains(passes) else {
            return nil
        }
        self.init(memory: memoryKiB, passes: passes)
    }

    private init(memory: Int, passes: Int) {
        self.memory = memory
        self.passes = passes
    }

    /// Computes the PHC string of `password`. Blocks the calling thread for the whole cost.
    /// - Throws: ``PasswordHashingError`` when the memory cannot be allocated.
    public func hash(_ password: [UInt8]) throws(PasswordHashingError) -> String {
        try Sodium.start()
        var phc = [CChar](repeating: 0, count: Int(crypto_pwhash_STRBYTES))
        let outcome = Sodium.withCharacters(of: password) { characters, count in
            crypto_pwhash_str_alg(&phc, characters, count, UInt64(passes), memory * 1024, crypto_pwhash_ALG_ARGON2ID13)
        }
        guard outcome == 0 else { throw .outOfMemory }
        return String(decoding: phc.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

public enum PasswordHashingError: Error, Sendable {
    /// The memory that the cost asks for could not be allocated.
    case outOfMemory
    /// A library cannot do its part: libsodium found no source of randomness, or this system's
    /// libxcrypt lacks the scheme.
    case unavailable
    /// The hash is of a password with a pepper, which was not given.
    case pepperMissing
}
