/// A stored password hash in any of the supported forms: parsed strictly once, its cost known
/// before it is computed.
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
/// The pepper that the password was mixed with may be named before each of them,
/// `$pepper$suffix$4f1c02aa$`. ``ForeignHash`` brings what other systems write into one of these
/// forms.
///
/// It does not print itself: as text it is its ``shape``.
public struct PasswordHash: Sendable {
    /// The function that computes the hash. The names are passlib's where it has one.
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
        /// Argon2id of another hash.
        case wrapped = "argon2id_wrapped"
        /// MD5 of crypt(3), only inside a wrapped hash.
        case md5Crypt = "md5_crypt"
        /// A digest such as SHA-1, only inside a wrapped hash.
        case digest
    }

    private static let families: [any StoredHash.Type] = [
        Argon2Hash.self, SHACryptHash.self, BcryptHash.self, PBKDF2Hash.self, ScryptHash.self, FirebaseScryptHash.self,
        PHPassHash.self, YescryptHash.self, WrappedHash.self,
    ]

    let stored: any StoredHash
    /// The pepper that the password was mixed with before it was hashed; `nil` for none.
    public let pepper: PepperUse?

    init(_ stored: any StoredHash, pepper: PepperUse? = nil) { (self.stored, self.pepper) = (stored, pepper) }

    /// Reads a hash and computes nothing. `nil` for text that is not exactly one of the forms: of
    /// at most 1024 bytes, in visible ASCII, every part in its one spelling and of a possible
    /// length, every cost within what its scheme allows and 4 GiB.
    public init?(_ text: String) {
        guard let text = HashText(text) else { return nil }
        let (pepper, hash) = PepperUse.read(text.text).map { ($0.use, HashText(Array($0.hash))) } ?? (nil, text)
        for family in Self.families {
            if let stored = family.init(hash) {
                // A setting without a digest is no hash.
                if let stored = stored as? any SettingHash, stored.digest.isEmpty { return nil }
                self.init(stored, pepper: pepper)
                return
            }
        }
        return nil
    }

    public var scheme: Scheme { stored.scheme }

    /// The cost of ``verify(_:pepper:)``, to be compared with a ``HashLimit`` before it is called.
    public var cost: HashCost {
        HashCost(memoryKiB: stored.memoryKiB, milliseconds: stored.rounds * scheme.nanosecondsPerRound / 1_000_000 + 1)
    }

    /// The scheme and its parameters, without salt and digest: equal for hashes whose verification
    /// is the same work.
    public var shape: String { "\(scheme.rawValue) \(stored.parameters)" }

    /// Whether nothing is gained by hashing the password anew: this is what ``Argon2id/hash(_:)``
    /// writes, with at least that memory and that number of passes.
    public func isAsCostly(as cost: Argon2id) -> Bool {
        guard let stored = stored as? Argon2Hash else { return false }
        return pepper == nil && scheme == .argon2id && stored.isPlain && stored.memoryKiB >= cost.memory
            && stored.passes >= cost.passes
    }

    /// Whether `password` is the one behind this hash; the digests are compared in constant time.
    /// Blocks the calling thread for the whole ``cost``.
    ///
    /// The bytes are taken as they are. With bcrypt the first 72 bytes of the password count, as in
    /// the libraries that made the hashes. With sha256_crypt and sha512_crypt no password of more
    /// than 511 bytes is right. Except with Argon2, no password with a NUL byte is right: C ends
    /// there, and HMAC takes it for padding. A password that is refused for one of these reasons
    /// takes as long as any other.
    /// - Parameters:
    ///   - password: as it was typed.
    ///   - known: the pepper that ``pepper`` names, where it names one.
    /// - Throws: ``PasswordHashingError`` when the memory cannot be allocated, a library does not
    ///   know the scheme, or the pepper is missing.
    public func verify(_ password: [UInt8], pepper known: PasswordPepper? = nil) throws(PasswordHashingError) -> Bool {
        guard let use = pepper else { return try verify(hashed: password) }
        guard let known, known.id == use.id else { throw .pepperMissing }
        // When the pepper comes first and no byte after it counts, every password would fit.
        let isPossible = use.construction != .prefix || stored.countsWhole(known.mixed(into: [0x78], .prefix))
        return try verify(hashed: known.mixed(into: password, use.construction)) && isPossible
    }

    private func verify(hashed bytes: [UInt8]) throws(PasswordHashingError) -> Bool {
        let isPossible = stored is Argon2Hash || !bytes.contains(0)
        return try stored.verify(bytes) && isPossible
    }

    /// Whether every byte of `password` counts. Where one does not, other passwords open the
    /// account as well, so what was typed must not be taken for the password that was chosen.
    public func countsWhole(_ password: [UInt8], pepper known: PasswordPepper? = nil) -> Bool {
        guard let use = pepper else { return stored.countsWhole(password) }
        return switch use.construction {
        // With every scheme enough of an HMAC counts.
        case .hmacSHA512, .hmacSHA512Hex, .hmacSHA256, .hmacSHA256Hex: true
        case .suffix: stored.countsWhole(password)
        case .prefix: known.map { stored.countsWhole($0.mixed(into: password, .prefix)) } ?? false
        }
    }

    /// Whether `pepper` is the one that ``verify(_:pepper:)`` needs, or it needs none.
    public func isVerifiable(with pepper: PasswordPepper?) -> Bool { self.pepper.map { $0.id == pepper?.id } ?? true }
}

extension PasswordHash {
    /// A hash of the same form, whose verification is the same work, with a salt and a digest from
    /// the system's random number generator: no password is behind it, and it has nothing of this
    /// hash but the form.
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
    /// The parameters that the work depends on, as text.
    var parameters: String { get }
    /// The number of the scheme's innermost steps, each of which takes its `nanosecondsPerRound`.
    /// Below 2^38, so that their time fits an Int.
    var rounds: Int { get }
    var memoryKiB: Int { get }

    func verify(_ password: [UInt8]) throws(PasswordHashingError) -> Bool

    /// Whether every byte of the password is hashed.
    func countsWhole(_ password: [UInt8]) -> Bool

    /// A hash with the same parameters and lengths, and everything else at random.
    func decoy() -> Self
}

extension StoredHash {
    func countsWhole(_ password: [UInt8]) -> Bool { true }
}
