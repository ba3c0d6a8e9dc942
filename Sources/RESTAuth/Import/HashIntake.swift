public import PasswordHashing

/// The rules for hashes of another system: which are accepted, and how they are stored.
public struct HashIntake: Sendable {
    /// The highest cost of verifying a hash that is accepted.
    public var limit: HashLimit
    /// Whether hashes are accepted that are fast to guess (`ForeignHash.Strength.weak`). They are
    /// stored inside an Argon2id hash.
    public var acceptsWeak: Bool
    /// The cost of the Argon2id hash around a weaker one.
    public var cost: Argon2id
    /// The pepper that the application mixed into its passwords; `nil` for none.
    public var pepper: PepperUse?

    public init(
        limit: HashLimit = HashLimit(), acceptsWeak: Bool = false, cost: Argon2id = .standard, pepper: PepperUse? = nil
    ) {
        self.limit = limit
        self.acceptsWeak = acceptsWeak
        self.cost = cost
        self.pepper = pepper
    }

    /// Checks a hash without computing anything.
    /// - Throws: the reason why the hash is refused.
    func admit(_ text: String) throws(ImportRefusal) -> ForeignHash {
        // Hashes contain no blanks; columns of fixed width and careless exports put blanks around
        // them.
        let text = Self.withoutBlanks(text)
        let hash: ForeignHash
        do {
            hash = try ForeignHash(text)
        } catch {
            // Django and Unix password files mark users who cannot sign in with a password by these
            // characters.
            guard let first = text.utf8.first, first != UInt8(ascii: "!"), first != UInt8(ascii: "*") else {
                throw ImportRefusal(kind: .noPassword, reason: "the user has no password to sign in with")
            }
            throw ImportRefusal(kind: .unknownHash, reason: error.reason)
        }
        guard hash.strength != .weak || acceptsWeak else {
            throw ImportRefusal(
                kind: .weakHash,
                reason: """
                    the password hash (\(hash.origin)) is so fast that whoever has a copy guesses most passwords from \
                    it; --accept-weak-hashes takes it, inside an Argon2id hash
                    """)
        }
        guard pepper == nil || !hash.hasPepper else {
            throw ImportRefusal(
                kind: .unknownHash, reason: "the password hash says of a pepper itself: import it without --pepper")
        }
        let cost = hash.cost(wrappedAt: cost)
        guard limit.admits(cost) else {
            throw ImportRefusal(
                kind: .costlyHash,
                reason: """
                    a sign-in would take about \(cost.memoryKiB) KiB and \(cost.milliseconds) ms; the limits are \
                    \(limit.memoryKiB) KiB and \(limit.milliseconds) ms
                    """)
        }
        return hash
    }

    private static func withoutBlanks(_ text: String) -> String {
        func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }
        let rest = text.utf8.drop(while: isBlank)
        let end = rest.lastIndex { !isBlank($0) }.map(rest.index(after:)) ?? rest.startIndex
        return String(Substring(rest[..<end]))
    }

    /// The texts to store, in order. Weaker hashes are wrapped on as many threads as there are
    /// processors.
    func stored(_ hashes: [ForeignHash]) async throws -> [String] {
        let (cost, pepper) = (cost, pepper)
        let threads = AuthConfiguration().hashingThreads
        guard hashes.contains(where: \.isWrapped) else {
            return try hashes.map { try $0.stored(cost: cost, pepper: pepper) }
        }
        // Each thread returns its result before it takes the next job, and all others wait until
        // then.
        let pending = 2 * threads
        let pool = HashingPool(threads: threads, capacity: pending, patience: 600)
        return try await withThrowingTaskGroup(of: (Int, String).self) { group in
            var stored = [String](repeating: "", count: hashes.count)
            for (index, hash) in hashes.enumerated() {
                if index >= pending, let (done, text) = try await group.next() { stored[done] = text }
                group.addTask { (index, try await pool.run { try hash.stored(cost: cost, pepper: pepper) }) }
            }
            for try await (done, text) in group { stored[done] = text }
            return stored
        }
    }
}
