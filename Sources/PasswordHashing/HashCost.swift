/// The cost of one verification: an estimate, right to a factor of two or so.
///
/// sha256_crypt, sha512_crypt and phpass read the password again in each round: one of 500 bytes
/// takes four to seven times as long.
public struct HashCost: Sendable, Hashable {
    /// Memory in KiB.
    public let memoryKiB: Int
    /// Time on one core of an ordinary server, rounded up.
    public let milliseconds: Int

    public init(memoryKiB: Int, milliseconds: Int) {
        self.memoryKiB = memoryKiB
        self.milliseconds = milliseconds
    }
}

/// The greatest cost that a stored hash may have: a hash names its own cost, and whoever hands one
/// in could name any.
public struct HashLimit: Sendable, Hashable {
    /// Memory in KiB.
    public var memoryKiB: Int
    /// Time on one core, as in ``HashCost/milliseconds``.
    public var milliseconds: Int

    /// 256 MiB and two seconds unless given: above the defaults of the usual libraries.
    public init(memoryKiB: Int = 262144, milliseconds: Int = 2000) {
        self.memoryKiB = memoryKiB
        self.milliseconds = milliseconds
    }

    public func admits(_ cost: HashCost) -> Bool {
        cost.memoryKiB <= memoryKiB && cost.milliseconds <= milliseconds
    }
}

extension PasswordHash.Scheme {
    /// The time of one of a scheme's rounds: the whole estimate of time rests on this table.
    ///
    /// Measured in release mode, with a password of 28 bytes and the costs that are the usual
    /// libraries' defaults, on a core that takes 14 ms for an Argon2id hash of 19 MiB and two
    /// passes. Other machines are within a factor of two.
    var nanosecondsPerRound: Int {
        switch self {
        case .argon2id, .argon2i: 450  // one KiB in one pass
        case .sha256Crypt: 340
        case .sha512Crypt: 390
        case .bcrypt, .bcryptSHA256, .bcryptSHA384: 48_000  // one of 2^cost
        case .pbkdf2SHA1: 110
        case .pbkdf2SHA256: 120
        case .pbkdf2SHA512: 390
        case .scrypt, .firebaseScrypt, .yescrypt: 270  // one block of 128 bytes, written and read: N * r * p of them
        case .phpass: 200  // one of 2^cost
        case .phpassSHA512: 500  // the same
        case .md5Crypt, .digest: 250
        case .wrapped: Self.argon2id.nanosecondsPerRound
        }
    }
}
