public import Foundation
import Metrics
import Synchronization

/// The door to the signing keys: publish, rotate, list.
///
/// Each key follows another one, is published some time before it signs, and stays for verification
/// until no token of it can be live. At any time the last key whose time has come signs.
public final class SigningKeys: Sendable {
    /// A key as an operator sees it.
    public struct Description: Sendable, Hashable {
        /// The uses of a key in its life.
        public enum State: String, Sendable, Hashable {
            /// Published, to sign later.
            case next
            /// Signs.
            case signing
            /// Replaced; its tokens are still valid.
            case verifying
        }

        /// The `kid` of its tokens: the key's thumbprint (RFC 7638).
        public let id: String
        /// The algorithm by its name in `alg` (RFC 7518).
        public let algorithm: String
        /// The time at which the key was made.
        public let createdAt: Date
        /// The time from which it signs.
        public let signsFrom: Date
        /// The present use of the key.
        public let state: State
    }

    /// Seconds between a key's publication and its first token: longer than anyone caches the
    /// published set.
    public static let publicationLead: TimeInterval = 3600
    /// Seconds between publication and first token when there is no time to lose: enough for the
    /// processes that share the storage.
    public static let shortestLead: TimeInterval = 5
    /// The shortest time for which the keys are believed after they were read.
    static let shortestBound: Duration = .seconds(2)
    /// Seconds for which the published set may be cached.
    package static let publicationLifetime = 300

    private struct Loaded: Sendable {
        let key: SigningKey
        let stored: StoredSigningKey
        let sealedUnder: SecretID
    }

    /// The shortest time between two reads for unknown keys, so that tokens of invented keys do not
    /// cause a read each.
    private static let patience: Duration = .milliseconds(250)

    /// The state of the reads of the storage.
    private struct Looks {
        /// The time at which the read began whose keys are in use.
        var appliedAt: ContinuousClock.Instant?
        /// The time at which the last read ended, and whether the storage answered.
        var last: (endedAt: ContinuousClock.Instant, isAnswered: Bool)?
        /// The read under way, for all callers that wait for it.
        var current: Task<Void, any Error>?
        /// Whether all keys could be decrypted.
        var isWhole = true
    }

    package let verification: VerificationKeys
    private let ring = Mutex<[Loaded]>([])
    private let looks = Mutex(Looks())
    private let storage: any Storage
    let secrets: InstanceSecrets
    /// The algorithm of new keys; `nil` for that of the newest key.
    private let algorithm: SigningAlgorithm?
    private let tokenType: AccessTokenType
    private let rotationInterval: TimeInterval
    private let now: @Sendable () -> Date
    private let count = Gauge(label: "rest_auth_signing_keys")
    private let firstUse = Gauge(label: "rest_auth_signing_key_first_use_timestamp_seconds")
    private let rotation = Gauge(label: "rest_auth_signing_key_rotation_timestamp_seconds")

    /// Loads the keys from the storage; makes the first one when there is none.
    /// - Throws: `misconfigured` when a key was encrypted under none of `secrets`.
    init(storage: any Storage, secrets: InstanceSecrets, configuration: AuthConfiguration) async throws {
        self.storage = storage
        self.secrets = secrets
        algorithm = configuration.signingAlgorithm
        tokenType = configuration.tokenType
        rotationInterval = TimeInterval(configuration.keyRotationInterval)
        now = configuration.now
        verification = VerificationKeys(
            bound: max(Self.shortestBound, .seconds(configuration.revocationBound)))
        try await load()
        try await insertFirst()
    }

    /// Makes the first key when there is none. Another process may be first: then its key is
    /// loaded.
    private func insertFirst() async throws {
        guard ring.withLock({ $0.isEmpty }) else { return }
        _ = try await insert(after: nil, signsFrom: now(), by: .application)
        try await load()
    }

    // MARK: Signing

    /// Signs the claims and returns the token in compact form.
    /// - Throws: `storage_unavailable` when there is no signing key.
    func sign(_ claims: AccessTokenClaims) throws -> String {
        guard let signing = ring.withLock({ Self.signing($0, at: now()) }) else {
            throw AuthError(.storageUnavailable, "there is no signing key at the moment", retryAfter: 1)
        }
        return try signing.key.sign(claims, as: tokenType)
    }

    /// The last key whose time has come. With a clock that was set back to before the first key's
    /// time, it is still the first key.
    private static func signing(_ ring: [Loaded], at now: Date) -> Loaded? {
        ring.last { $0.stored.signsFrom <= now } ?? ring.first
    }

    /// The published set (RFC 7517 section 5): every key that has a live token or will have one.
    public var jwks: String {
        String(decoding: publishedSet.bytes, as: UTF8.self)
    }

    /// The algorithms of the published keys, each once.
    package var publishedAlgorithms: [SigningAlgorithm] {
        let published = Set(ring.withLock { $0.map(\.key.algorithm) })
        return SigningAlgorithm.allCases.filter(published.contains)
    }

    package var publishedSet: JSON {
        ["keys": .array(ring.withLock { $0.map(\.key.publicKey.jwk) })]
    }

    /// The keys, in the order in which they begin to sign.
    public func list() -> [Description] {
        let now = now()
        return ring.withLock { ring in
            let signing = Self.signing(ring, at: now)
            return ring.map { key in
                Description(
                    id: key.stored.id, algorithm: key.stored.algorithm, createdAt: key.stored.createdAt,
                    signsFrom: key.stored.signsFrom,
                    state: key.stored.id == signing?.stored.id
                        ? .signing : key.stored.signsFrom > now ? .next : .verifying)
            }
        }
    }

    // MARK: Changing the secret

    /// The number of keys that are encrypted under another secret than the present one.
    var countToReseal: Int {
        let present = secrets.known.present.id
        return ring.withLock { ring in ring.count { $0.sealedUnder != present } }
    }

    /// Encrypts the keys again under the present secret, where there is a previous one.
    ///
    /// Each key is one transaction that replaces what was read and nothing else, so this may be
    /// interrupted, repeated, and done by several processes at once.
    /// - Returns: the number of keys that were encrypted again.
    func reseal() async throws -> Int {
        try await load()
        let known = secrets.known
        guard known.previous != nil else { return 0 }
        var count = 0
        for key in ring.withLock({ $0 }) where key.sealedUnder != known.present.id {
            let sealed = try key.key.sealed(by: known.maker)
            if try await storage.replaceSealedSigningKey(id: key.stored.id, key.stored.sealed, with: sealed) {
                count += 1
            }
        }
        try await load()
        return count
    }

    // MARK: Rotating

    /// Makes the key that will sign next. The present one signs until then, and its tokens stay
    /// valid until they expire.
    ///
    /// A next key that exists already is brought forward.
    /// - Parameters:
    ///   - lead: seconds until it signs, at least ``shortestLead``. With less than
    ///     ``publicationLead``, verifiers that cache the published set refuse the new key's tokens
    ///     until they ask again.
    ///   - caller: the caller in the recorded event.
    /// - Throws: `key_pending` when there is a next key that signs no later than that.
    @discardableResult
    public func rotate(
        lead: TimeInterval = SigningKeys.publicationLead, by caller: Caller = .application
    ) async throws -> Description {
        try await load()
        let signsFrom = now().addingTimeInterval(max(lead, Self.shortestLead))
        guard let newest = ring.withLock({ $0.last?.stored }) else {
            throw AuthError(.misconfigured, "the storage kept no signing key")
        }
        var id: String? = newest.id
        if newest.signsFrom <= now() {
            id = try await insert(after: newest.id, signsFrom: signsFrom, by: caller)
        } else if newest.signsFrom > signsFrom {
            let event = AuthEvent.signingKeyHastened(id: newest.id).by(caller, at: now())
            if try await storage.hastenSigningKey(id: newest.id, to: signsFrom, recording: event) { event.record() }
        } else {
            id = nil
        }
        try await load()
        guard let next = list().first(where: { $0.id == id }) else {
            let start = list().last?.signsFrom ?? newest.signsFrom
            throw AuthError(
                .keyPending,
                "there is a new key already that has not begun to sign; it signs from \(start.ISO8601Format())")
        }
        return next
    }

    /// Refuses every token of a key that leaked: here at once, and in other processes within two
    /// seconds, or ``AuthConfiguration/revocationBound`` where that is longer. Then the last of the
    /// remaining keys whose time has come signs, else the next one, or a new one when none remains.
    /// Sessions go on: their clients renew.
    /// - Throws: `key_not_found`.
    public func revoke(_ id: String, by caller: Caller = .application) async throws {
        guard try await delete(id, by: caller) else { throw AuthError(.keyNotFound, "there is no key \(id)") }
        try await load()
        try await insertFirst()
    }

    /// Refuses every token of all present keys, when all of them leaked: a new one signs at once,
    /// and the others are revoked as by ``revoke(_:by:)``.
    /// - Returns: the new key.
    /// - Throws: `key_pending` when another process makes a key at the same time.
    @discardableResult
    public func replaceAll(by caller: Caller = .application) async throws -> Description {
        try await load()
        let leaked = ring.withLock { $0.map(\.stored.id) }
        guard let id = try await insert(after: leaked.last, signsFrom: now(), by: caller) else {
            throw AuthError(.keyPending, "another process has just made a key; try again")
        }
        for id in leaked { _ = try await delete(id, by: caller) }
        try await load()
        guard let key = list().first(where: { $0.id == id }) else {
            throw AuthError(.misconfigured, "the storage kept no signing key")
        }
        return key
    }

    /// Makes the next key when the newest one signs and its time ends within ``publicationLead``,
    /// or its algorithm is not the configured one. Makes the first key when there is none.
    package func rotateOnSchedule() async throws {
        try await insertFirst()
        guard let newest = ring.withLock({ $0.last?.stored }) else { return }
        let end = newest.signsFrom.addingTimeInterval(rotationInterval)
        let isDue = end.addingTimeInterval(-Self.publicationLead) <= now()
        guard isDue || newest.algorithm != algorithm?.rawValue ?? newest.algorithm, newest.signsFrom <= now() else {
            return
        }
        _ = try await insert(
            after: newest.id, signsFrom: max(isDue ? end : now(), now().addingTimeInterval(Self.publicationLead)),
            by: .application)
        try await load()
    }

    /// - Returns: the new key's id, or `nil` when another process was first.
    private func insert(after predecessor: String?, signsFrom: Date, by caller: Caller) async throws -> String? {
        let present = ring.withLock { $0.last?.key.algorithm }
        let key = try SigningKey(algorithm ?? present ?? .es256)
        let stored = StoredSigningKey(
            id: key.publicKey.id, algorithm: key.algorithm.rawValue, sealed: try key.sealed(by: secrets.known.maker),
            createdAt: now(),
            signsFrom: signsFrom, follows: predecessor ?? "")
        let event = AuthEvent.signingKeyMade(id: stored.id).by(caller, at: stored.createdAt)
        guard try await storage.insertSigningKey(stored, recording: event) else { return nil }
        event.record()
        return stored.id
    }

    /// - Returns: whether there was such a key.
    private func delete(_ id: String, by caller: Caller) async throws -> Bool {
        let event = AuthEvent.signingKeyRevoked(id: id).by(caller, at: now())
        guard try await storage.deleteSigningKey(id: id, recording: event) else { return false }
        event.record()
        return true
    }

    /// Reads the storage again, unless that was done just now; one read is for all who ask
    /// meanwhile.
    /// - Throws: what the storage throws, and `storage_unavailable` soon after such a failure; then
    ///   it is not known whether a token's key is a new one.
    func loadAgain() async throws {
        let look = try looks.withLock { looks throws(AuthError) -> Task<Void, any Error>? in
            if let current = looks.current { return current }
            if let last = looks.last, .now - last.endedAt < Self.patience {
                if last.isAnswered { return nil }
                throw AuthError(.storageUnavailable, "the storage does not answer at the moment", retryAfter: 1)
            }
            let look = Task { try await load() }
            looks.current = look
            return look
        }
        defer { if look != nil { looks.withLock { $0.current = nil } } }
        try await look?.value
    }

    /// Whether a key is in the storage, by a read within the last two seconds.
    /// - Throws: what the storage throws; `storage_unavailable` when there was no such read.
    func confirm(_ id: String) async throws -> Bool {
        let asked = ContinuousClock.now
        if !wereRead(within: Self.shortestBound, of: asked) { try await loadAgain() }
        guard wereRead(within: Self.shortestBound, of: asked) else {
            throw AuthError(.storageUnavailable, "the storage does not answer at the moment", retryAfter: 1)
        }
        return verification.contains(id)
    }

    private func wereRead(within bound: Duration, of instant: ContinuousClock.Instant) -> Bool {
        looks.withLock { looks in looks.appliedAt.map { instant - $0 <= bound } ?? false }
    }

    /// Takes over the keys in the storage: with those that other processes made, and without those
    /// that were deleted.
    package func load() async throws {
        let start = ContinuousClock.now
        let stored: [StoredSigningKey]
        do {
            stored = try await storage.signingKeys()
            looks.withLock { $0.last = (.now, true) }
        } catch {
            looks.withLock { $0.last = (.now, false) }
            throw error
        }
        followSecrets(opening: stored)
        let known = ring.withLock { ring in Dictionary(uniqueKeysWithValues: ring.map { ($0.stored.id, $0) }) }
        let keys = stored.map { key in
            Result {
                if let present = known[key.id], present.stored == key { return present }
                let (opened, secret) = try SigningKey.opened(key, by: secrets.known)
                return Loaded(key: opened, stored: key, sealedUnder: secret)
            }
        }
        // A key that cannot be decrypted must not keep this process from learning that another one
        // was deleted. It is used as before if it was known: its id says that it is the same key,
        // encrypted under a secret that has not come here yet.
        apply(zip(stored, keys).compactMap { (try? $1.get()) ?? known[$0.id] }, readAt: start)
        let failure = keys.lazy.compactMap { key in if case .failure(let error) = key { error } else { nil } }.first
        looks.withLock { $0.isWhole = failure == nil }
        guard let failure else { return }
        // At the start the error says why; later, somebody is changing the secret.
        throw known.isEmpty
            ? failure
            : AuthError(
                .storageUnavailable, "a signing key was encrypted under a secret that is not known here", retryAfter: 1)
    }

    /// Checks that a server with these secrets would start with these keys.
    /// - Throws: `misconfigured`, as the server would.
    package static func check(_ stored: [StoredSigningKey], by secrets: KnownSecrets) throws {
        for key in stored { _ = try SigningKey.opened(key, by: secrets) }
    }

    /// Whether all keys of the storage could be decrypted at the last read.
    var isWhole: Bool { looks.withLock { $0.isWhole } }

    /// Takes up the present contents of the secrets' file, if they decrypt every key, as at a
    /// start.
    ///
    /// The keys were read before the file is: a process that encrypts a key under a new secret has
    /// written that secret to the file before.
    private func followSecrets(opening stored: [StoredSigningKey]) {
        secrets.follow { secrets in for key in stored { _ = try SigningKey.opened(key, by: secrets) } }
    }

    /// Takes up a new secret at once, for a caller that has met something made under an unknown
    /// one: the process that made it has written the secret to the file before. It looks at the
    /// file, and reads the keys only when the file has changed.
    func followSecretsNow() async throws {
        if secrets.isFileChanged { try await load() }
    }

    /// Takes keys into use, unless those of a later read are in use already: keys that were read
    /// before may include one that was deleted since.
    private func apply(_ keys: [Loaded], readAt start: ContinuousClock.Instant) {
        looks.withLock { looks in
            if let appliedAt = looks.appliedAt, appliedAt > start { return }
            looks.appliedAt = start
            let isChanged = ring.withLock { ring in
                defer { ring = keys }
                return ring.map(\.stored) != keys.map(\.stored)
            }
            if isChanged { verification.replace(with: keys.map(\.key.publicKey)) }
            verification.confirm(at: start)
        }
        measure(keys)
    }

    private func measure(_ keys: [Loaded]) {
        count.record(keys.count)
        guard let signing = Self.signing(keys, at: now()), let newest = keys.last else { return }
        firstUse.record(signing.stored.signsFrom.timeIntervalSince1970)
        let next = newest.stored.signsFrom
        rotation.record((next > now() ? next : next.addingTimeInterval(rotationInterval)).timeIntervalSince1970)
    }
}
