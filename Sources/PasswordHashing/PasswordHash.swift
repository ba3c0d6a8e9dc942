/// A stored password hash in any of the forms that are understood: parsed strictly once, its cost
/// known before it is computed.
///
/// The forms, as their libraries write them:
///
/// - Argon2id and Argon2i, version 1.3: the PHC string, and Django's with `argon2` before it.
/// - `$5$` and `$6$` of crypt(3), with and without `rounds=`, and `$y$`, which is yescrypt.
/// - bcrypt as `$2a$`, `$2b$` and `$2y$`, and Django's `bcrypt$`; over SHA-256, Django's
///   `bcrypt_sha256$` and both versions of passlib's `$bcrypt-sha256$`; over SHA-384, WordPress
///   6.8's `$wp$2y$`.
/// - PBKDF2 with SHA-1, SHA-256 and SHA-512: passlib's `$pbkdf2…$`, Werkzeug's `pbkdf2:`, Django's
///   `pbkdf2_…$`, RustCrypto's `$pbkdf2-sha256$i=…,l=…$`.
/// - scrypt: passlib's `$scrypt$`, Werkzeug's `scrypt:`, Django's `scrypt$`.
/// - Firebase's scrypt: `$fbscrypt$v=1,n=14,r=8,p=1,ss=SEPARATOR,sk=SIGNER_KEY$SALT$HASH`, all four
///   in base64.
/// - The portable hashes of PHPass, `$P$` and `$H$`, and Drupal 7's, `$S$` and `U$S$`.
/// - Argon2id of a weaker hash, `$wrapped$`, as ``ForeignHash`` makes it.
///
/// Before each may stand which pepper the password was mixed with, `$pepper$suffix$4f1c02aa$`.
/// What other systems write otherwise, ``ForeignHash`` brings into one of these forms.
///
/// It does not print itself: as text it is its ``shape``.
public struct PasswordHash: Sendable {
    /// What computes the hash. The names are passlib's where it has one.
    public enum Scheme: String, Sendable, CaseIterable {
        case argon2id, argon2i
        case sha256Crypt = "sha256_crypt"
        case sha512Crypt = "sha512_crypt"
        case bcrypt
        case bcryptSHA256 = "bcrypt_sha256"
        case bcryptSHA384 = "bcrypt_sha384"
        case pbkdf2SHA1 = "pbkdf2_sha1"
        case pbkdf2SHA256 = "pbkdf2_sha256"
        case pbkdf2SHA512 = "pbkdf2_sha512"
        case scrypt, yescrypt
        case firebaseScrypt = "firebase_scrypt"
        case phpass
        case phpassSHA512 = "phpass_sha512"
        /// Argon2id of another.
        case wrapped = "argon2id_wrapped"
        /// Only in a wrapped one.
        case md5Crypt = "md5_crypt"
        /// Only in a wrapped one.
        case digest
    }

    private static let families: [any StoredHash.Type] = [
        Argon2Hash.self, SHACryptHash.self, BcryptHash.self, PBKDF2Hash.self, ScryptHash.self, FirebaseScryptHash.self,
        PHPassHash.self, YescryptHash.self, WrappedHash.self,
    ]

    let stored: any StoredHash
    /// What the password was mixed with before it was hashed; `nil` for nothing.
    public let pepper: PepperUse?

    init(_ stored: any StoredHash, pepper: PepperUse? = nil) { (self.stored, self.pepper) = (stored, pepper) }

    /// `nil` for anything that is not exactly one of the forms: of at most 1024 bytes, in visible
    /// ASCII, every part in its one spelling and of a possible length, every cost within what its
    /// scheme allows and 4 GiB. Computes nothing.
    public init?(_ text: String) {
        guard let text = HashText(text) else { return nil }
        let (pepper, hash) = PepperUse.read(text.text).map { ($0.use, HashText(Array($0.hash))) } ?? (nil, text)
        for family in Self.families {
            if let stored = family.init(hash) {
                // A setting alone is no hash.
                if let stored = stored as? any SettingHash, stored.digest.isEmpty { return nil }
                self.init(stored, pepper: pepper)
                return
            }
        }
        return nil
    }

    public var scheme: Scheme { stored.scheme }

    /// What ``verify(_:pepper:)`` takes, to be compared with a ``HashLimit`` before it is called.
    public var cost: HashCost {
        HashCost(memoryKiB: stored.memoryKiB, milliseconds: stored.rounds * scheme.nanosecondsPerRound / 1_000_000 + 1)
    }

    /// The scheme and its parameters, without salt and digest: equal for hashes whose verification
    /// is the same work.
    public var shape: String { "\(scheme.rawValue) \(stored.parameters)" }

    /// Whether nothing is to be gained by hashing the password anew: this is what
    /// ``Argon2id/hash(_:)`` writes, with at least that memory and as many passes.
    public func isAsCostly(as cost: Argon2id) -> Bool {
        guard let stored = stored as? Argon2Hash else { return false }
        return pepper == nil && scheme == .argon2id && stored.isPlain && stored.memoryKiB >= cost.memory
            && stored.passes >= cost.passes
    }

    /// Whether `password` is the one behind this hash; the digests are compared in constant time.
    /// Blocks the calling thread for the whole ``cost``.
    ///
    /// The bytes are taken as they are. Of bcrypt's password the first 72 bytes count, as in the
    /// libraries that made the hashes. sha256_crypt and sha512_crypt know no password of more than
    /// 511 bytes. Except for Argon2, nothing that is hashed has a NUL byte: C ends there, and HMAC
    /// takes it for padding. What is refused for one of these reasons takes as long as any other
    /// password.
    /// - Parameters:
    ///   - password: as it was typed.
    ///   - known: the one that ``pepper`` says, where it says any.
    /// - Throws: ``PasswordHashingError`` when the memory cannot be had, a library does not know
    ///   the scheme, or the pepper is not there.
    public func verify(_ password: [UInt8], pepper known: PasswordPepper? = nil) throws(PasswordHashingError) -> Bool {
        guard let use = pepper else { return try verify(hashed: password) }
        guard let known, known.id == use.id else { throw .pepperMissing }
        // Where the pepper comes first and nothing counts behind it, any password would fit.
        let isPossible = use.construction != .prefix || stored.countsWhole(known.mixed(into: [0x78], .prefix))
        return try verify(hashed: known.mixed(into: password, use.construction)) && isPossible
    }

    private func verify(hashed bytes: [UInt8]) throws(PasswordHashingError) -> Bool {
        let isPossible = stored is Argon2Hash || !bytes.contains(0)
        return try stored.verify(bytes) && isPossible
    }

    /// Whether every byte of `password` counts. Where one does not, more than the password that was
    /// chosen opens: what was typed is not to be taken for it.
    public func countsWhole(_ password: [UInt8], pepper known: PasswordPepper? = nil) -> Bool {
        guard let use = pepper else { return stored.countsWhole(password) }
        return switch use.construction {
        // Of an HMAC enough counts everywhere.
        case .hmacSHA512, .hmacSHA512Hex, .hmacSHA256, .hmacSHA256Hex: true
        case .suffix: stored.countsWhole(password)
        case .prefix: known.map { stored.countsWhole($0.mixed(into: password, .prefix)) } ?? false
        }
    }

    /// Whether ``verify(_:pepper:)`` has what it needs of `pepper`.
    public func isVerifiable(with pepper: PasswordPepper?) -> Bool { self.pepper.map { $0.id == pepper?.id } ?? true }
}

extension PasswordHash {
    /// A hash of the same form, whose verification is the same work, with a salt and a digest from
    /// the system's random number generator: no password is behind it, and nothing of this one but
    /// its form is in it.
    public func decoy() -> PasswordHash { PasswordHash(stored.decoy(), pepper: pepper) }
}

extension PasswordHash: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String { shape }
    public var debugDescription: String { shape }
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// A family of forms that are computed alike.
protocol StoredHash: Sendable {
    /// `nil` when the text is of another family, or of none.
    init?(_ text: HashText)

    var scheme: PasswordHash.Scheme { get }
    /// What the work depends on, as text.
    var parameters: String { get }
    /// How often the scheme's innermost step is done, in the unit of its price. At most 2^32.
    var rounds: Int { get }
    var memoryKiB: Int { get }

    func verify(_ password: [UInt8]) throws(PasswordHashingError) -> Bool

    /// Whether all of it is hashed.
    func countsWhole(_ password: [UInt8]) -> Bool

    /// The same parameters and lengths, with everything else at random.
    func decoy() -> Self
}

extension StoredHash {
    func countsWhole(_ password: [UInt8]) -> Bool { true }
}
