import Foundation

/// A password hash as it is found at another system: in a column, an export, a directory or a
/// password file.
///
/// It is read as widely as ``PasswordHash`` is strictly: out of the wrappings of Spring, LDAP and
/// Dovecot (`{bcrypt}`, `{CRYPT}`, `{SSHA}` …), ASP.NET's base64, Keycloak's JSON, in both
/// alphabets of base64, from the bytes that Python or PostgreSQL have written out as text. The text
/// to store, ``stored(cost:pepper:)``, has a form of ``PasswordHash``.
public struct ForeignHash: Sendable {
    /// The time that a guess takes somebody who has the hash, in three classes.
    public enum Strength: Sendable {
        /// Strong enough to be stored as it is.
        case strong
        /// Salted and repeated, but checked in less than ``cheapNanoseconds``: it is stored inside
        /// an Argon2id hash.
        case cheap
        /// Unsalted, or checked in less than ``weakNanoseconds``, which is one round or a few:
        /// whoever had such hashes could guess them in bulk, and may have done so. It is stored
        /// inside an Argon2id hash too.
        case weak
    }

    /// The time below which a hash is ``Strength/cheap``, on one core, as ``HashCost`` estimates
    /// it.
    public static let cheapNanoseconds = 1_000_000
    public static let weakNanoseconds = 100_000
    /// The time below which a hash that cannot go inside an Argon2id hash, as Argon2 itself, is
    /// refused: it is worth no more than a salted digest then.
    public static let worthlessNanoseconds = 10_000

    /// The reason why a text cannot be taken.
    public struct Refusal: Error, Sendable, Hashable {
        /// The kind of the text, who writes such, and what to do, for the operator of an import. Of
        /// the text it shows only the name of a kind.
        public let reason: String
        /// Whether the reason shows a name of a kind that is not known here.
        var hasUnknownName = false
    }

    private let hash: any StoredHash
    /// The text that ``PasswordHash`` reads, for a hash that is stored as it is.
    private let text: String
    private let presentPepper: PepperUse?
    public let strength: Strength
    /// The kind of the hash and the systems that write it.
    public let origin: String

    /// Reads a text and computes nothing.
    /// - Throws: ``Refusal`` for text that is no hash, a damaged hash, one of a kind that is not
    ///   understood, or one of less than ``worthlessNanoseconds`` that cannot go inside an Argon2id
    ///   hash.
    public init(_ text: String) throws(Refusal) {
        try self.init(Self.unwrapped(Array(text.utf8)[...], depth: 0))
    }

    /// Takes a hash that was read, and determines its strength.
    private init(_ found: Found) throws(Refusal) {
        (hash, text, origin) = (found.hash, found.text, found.origin)
        presentPepper = found.pepper
        let nanoseconds = found.hash.rounds * found.hash.scheme.nanosecondsPerRound
        guard let setting = found.hash as? any SettingHash else {
            guard nanoseconds >= Self.worthlessNanoseconds else { throw .tooFast(origin) }
            strength = .strong
            return
        }
        let isSalted = (setting as? DigestHash)?.isSalted ?? true
        strength =
            switch setting {
            case _ where !isSalted || nanoseconds < Self.weakNanoseconds: .weak
            case is DigestHash, is MD5CryptHash: .cheap
            case _ where nanoseconds < Self.cheapNanoseconds: .cheap
            default: .strong
            }
    }

    /// The cost of a sign-in once the hash is stored, to be compared with a ``HashLimit``.
    public func cost(wrappedAt cost: Argon2id) -> HashCost {
        let own = PasswordHash(hash).cost
        guard isWrapped else { return own }
        let outer = cost.memory * cost.passes * PasswordHash.Scheme.wrapped.nanosecondsPerRound / 1_000_000 + 1
        return HashCost(
            memoryKiB: max(own.memoryKiB, cost.memory),
            milliseconds: own.milliseconds + outer * ((hash as? any SettingHash)?.ways ?? 1))
    }

    /// Whether it is stored inside an Argon2id hash.
    public var isWrapped: Bool { strength != .strong }

    /// Whether the text names a pepper itself, as one does that was exported here.
    public var hasPepper: Bool { presentPepper != nil }

    /// The text to store, never weaker than an Argon2id hash of that cost unless it is
    /// ``Strength/strong`` by itself. Where it is wrapped, blocks the calling thread for the whole
    /// cost.
    /// - Parameters:
    ///   - cost: the cost of the Argon2id hash around a weaker one.
    ///   - pepper: the one that the application has mixed into the password, and how; not used when
    ///     the text names one itself.
    /// - Throws: ``PasswordHashingError`` when the memory cannot be allocated.
    public func stored(cost: Argon2id, pepper: PepperUse? = nil) throws(PasswordHashingError) -> String {
        let prefix = (presentPepper ?? pepper)?.text ?? ""
        guard isWrapped, let setting = hash as? any SettingHash else { return prefix + text }
        return prefix + (try WrappedHash.wrap(setting, cost: cost))
    }
}

extension ForeignHash: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String { origin }
    public var debugDescription: String { origin }
    public var customMirror: Mirror { Mirror(self, children: []) }
}

// MARK: - Reading

extension ForeignHash {
    /// A hash, and the form of it that ``PasswordHash`` reads.
    struct Found {
        let hash: any StoredHash
        let text: String
        var pepper: PepperUse?
        let origin: String

        init(_ hash: any SettingHash, _ origin: String) {
            (self.hash, self.origin) = (hash, origin)
            // Of the hashes that come here only PBKDF2 can be stored as it is, and its setting is
            // followed by a digest in this spelling. The others are always wrapped.
            text = hash.setting + HashText.unpaddedBase64(hash.digest)
        }

        init?(_ text: ArraySlice<UInt8>) {
            guard let read = PasswordHash(String(text)) else { return nil }
            (hash, pepper, origin) = (read.stored, read.pepper, read.scheme.rawValue)
            self.text = String(PepperUse.read(text)?.hash ?? text)
        }
    }

    /// The longest text that is read, in bytes, with all its wrappings.
    static let maximumBytes = 4096

    /// Removes one wrapping after the other, and reads the hash inside.
    static func unwrapped(_ text: ArraySlice<UInt8>, depth: Int) throws(Refusal) -> Found {
        guard text.count <= maximumBytes, depth < 4 else { throw .unknown }
        guard !text.isEmpty else { throw Refusal(reason: "there is no password hash") }
        if let found = Found(text) { return found }
        if let bytes = writtenOutBytes(text) { return try decoded(bytes, depth: depth) }
        if let credential = try KeycloakCredential.hash(text) { return try unwrapped(credential, depth: depth + 1) }
        if text.first == UInt8(ascii: "{") { return try braced(text, depth: depth) }
        // Tried before base64, because every digest in hexadecimal is base64 as well.
        if let found = try bare(text) { return found }
        // Base64 of text that begins with a brace, as in an LDIF file.
        if text.first == UInt8(ascii: "e"), let bytes = text.bytes(.base64, count: 4...maximumBytes),
            bytes.first == 0x7B
        {
            return try decoded(bytes, depth: depth)
        }
        throw refusal(of: text)
    }

    /// Reads text that was encoded. An unknown name in it is not shown: it was not written there in
    /// letters, so nobody gave it, and it may be part of a digest.
    private static func decoded(_ bytes: [UInt8], depth: Int) throws(Refusal) -> Found {
        do {
            return try unwrapped(bytes[...], depth: depth + 1)
        } catch {
            throw error.hasUnknownName ? .unknown : error
        }
    }

    /// The bytes of a bcrypt hash as Python shows them, `b'$2b$…'`, and as PostgreSQL does,
    /// `\x2432…`, which is how they get into a column of text, or a list.
    private static func writtenOutBytes(_ text: ArraySlice<UInt8>) -> [UInt8]? {
        for (start, end) in [("b'", "'"), ("b\"", "\"")] as [(StaticString, StaticString)]
        where text.hasPrefix(start) && text.count > 3 && text.suffix(1) == end {
            return Array(text.dropFirst(2).dropLast())
        }
        return text.hasPrefix("\\x") ? text.dropFirst(2).bytes(.hex, count: 1...maximumBytes) : nil
    }
}
