public import PasswordHashing

/// Which hashes of another system are taken, and what becomes of them.
public struct HashIntake: Sendable {
    /// What one may cost.
    public var limit: HashLimit
    /// Whether such are taken, too, as were guessed in bulk where they leaked
    /// (`ForeignHash.Strength.weak`).
    public var acceptsWeak: Bool
    /// Of what goes around a weaker one.
    public var cost: Argon2id
    /// What the application mixed into its passwords, and how.
    public var pepper: PepperUse?

    public init(
        limit: HashLimit = HashLimit(), acceptsWeak: Bool = false, cost: Argon2id = .standard, pepper: PepperUse? = nil
    ) {
        self.limit = limit
        self.acceptsWeak = acceptsWeak
        self.cost = cost
        self.pepper = pepper
    }

    /// Judges a hash without computing anything.
    /// - Throws: why its user cannot come in with it.
    func admit(_ text: String) throws(ImportRefusal) -> ForeignHash {
        // No hash has any of that in it, and columns of a fixed width and careless exports do
        // around it.
        let text = Self.withoutBlanks(text)
        let hash: ForeignHash
        do {
            hash = try ForeignHash(text)
        } catch {
            // Django and the system's own password files mark with these whoever cannot sign in by
            // a password.
            guard let first = text.utf8.first, first != UInt8(ascii: "!"), first != UInt8(ascii: "*") else {
                throw ImportRefusal(kind: .noPassword, reason: "the user has no password to sign in with")
            }
            throw ImportRefusal(kind: .unknownHash, reason: error.reason)
        }
        guard hash.strength != .weak || acceptsWeak else {
            throw ImportRefusal(
                kind: .weakHash,
                reason: """
                    the password hash (\(hash.origin)) is so fast that whoever has a copy guesses most passwords from it; \
                    --accept-weak-hashes takes it, inside an Argon2id hash
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

    /// What is stored of them, in their order. Those that are wrapped are hashed on as many threads
    /// as there are processors.
    func stored(_ hashes: [ForeignHash]) async throws -> [String] {
        let (cost, pepper) = (cost, pepper)
        let threads = AuthConfiguration().hashingThreads
        guard hashes.contains(where: \.isWrapped) else {
            return try hashes.map { try $0.stored(cost: cost, pepper: pepper) }
        }
        // A thread gives its result before it takes the next job: until then all of the others
        // wait.
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
