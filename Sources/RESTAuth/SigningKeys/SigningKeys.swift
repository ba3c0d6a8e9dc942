public import Foundation
import Metrics
import Synchronization

/// The door to the ring of signing keys: publish, rotate, list.
///
/// The keys form a row: each follows one other, is published some time before it signs, and stays
/// for verification until no token of it can be live. At any time the last one whose time has come
/// signs.
public final class SigningKeys: Sendable {
    /// What an operator sees of a key.
    public struct Description: Sendable, Hashable {
        /// What the key does at the moment.
        public enum State: String, Sendable, Hashable {
            /// Published, to sign later.
            case next
            /// Signs.
            case signing
            /// Replaced; its tokens are still good.
            case verifying
        }

        /// The `kid` of its tokens: the key's thumbprint (RFC 7638).
        public let id: String
        /// As `alg` names it (RFC 7518).
        public let algorithm: String
        /// When it was made.
        public let createdAt: Date
        /// When it signs, or did first.
        public let signsFrom: Date
        /// What it does at the moment.
        public let state: State
    }

    /// Seconds between a key's publication and its first token: longer than anyone keeps the
    /// published set.
    public static let publicationLead: TimeInterval = 3600
    /// The same when there is no time to lose: enough for the processes that share the storage.
    public static let shortestLead: TimeInterval = 5
    /// The least for which the ring is believed after it was read.
    static let shortestBound: Duration = .seconds(2)
    /// Seconds for which the published set may be kept.
    package static let publicationLifetime = 300

    private struct Loaded: Sendable {
        let key: SigningKey
        let stored: StoredSigningKey
        let sealedUnder: SecretID
    }

    /// Whoever sends tokens of invented keys must not make the storage be asked about each.
    private static let patience: Duration = .milliseconds(250)

    /// What is known of the looks at the storage.
    private struct Looks {
        /// When the newest look began whose keys are in the ring.
        var appliedAt: ContinuousClock.Instant?
        /// When the last look ended, and how.
        var last: (endedAt: ContinuousClock.Instant, isAnswered: Bool)?
        /// The one that is under way, for all who wait for it.
        var current: Task<Void, any Error>?
        /// Whether all keys could be opened.
        var isWhole = true
    }

    package let verification: VerificationKeys
    private let ring = Mutex<[Loaded]>([])
    private let looks = Mutex(Looks())
    private let storage: any Storage
    let secrets: InstanceSecrets
    /// `nil` for that of the newest key.
    private let algorithm: SigningAlgorithm?
    private let tokenType: AccessTokenType
    private let rotationInterval: TimeInterval
    private let now: @Sendable () -> Date
    private let count = Gauge(label: "rest_auth_signing_keys")
    private let firstUse = Gauge(label: "rest_auth_signing_key_first_use_timestamp_seconds")
    private let rotation = Gauge(label: "rest_auth_signing_key_rotation_timestamp_seconds")

    /// Loads the keys from the storage; makes the first one when there is none.
    /// - Throws: `misconfigured` when they were encrypted under none of `secrets`.
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

    /// Where there is no key. Another process may be first: then its key is loaded.
    private func insertFirst() async throws {
        guard ring.withLock({ $0.isEmpty }) else { return }
        _ = try await insert(after: nil, signsFrom: now(), by: .application)
        try await load()
    }

    // MARK: Signing

    /// The token in compact form.
    func sign(_ claims: AccessTokenClaims) throws -> String {
        guard let signing = ring.withLock({ Self.signing($0, at: now()) }) else {
            throw AuthError(.storageUnavailable, "there is no signing key at the moment", retryAfter: 1)
        }
        return try signing.key.sign(claims, as: tokenType)
    }

    /// The last one whose time has come. A clock set back to before the first key's time still
    /// finds that one.
    private static func signing(_ ring: [Loaded], at now: Date) -> Loaded? {
        ring.last { $0.stored.signsFrom <= now } ?? ring.first
    }

    /// The published set (RFC 7517 section 5): every key that has a live token or will have one.
    public var jwks: String {
        String(decoding: publishedSet.bytes, as: UTF8.self)
    }

    /// How tokens are signed that verify with the published set, each algorithm once.
    package var publishedAlgorithms: [SigningAlgorithm] {
        let published = Set(ring.withLock { $0.map(\.key.algorithm) })
        return SigningAlgorithm.allCases.filter(published.contains)
    }

    package var publishedSet: JSON {
        ["keys": .array(ring.withLock { $0.map(\.key.publicKey.jwk) })]
    }

    /// In the order in which they begin to sign.
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

    // MARK: Under which secret

    /// How many keys are encrypted under another secret than the present one.
    var countToReseal: Int {
        let present = secrets.known.present.id
        return ring.withLock { ring in ring.count { $0.sealedUnder != present } }
    }

    /// Encrypts the keys under the present secret, where they are not and it has a previous one.
    ///
    /// Each is one transaction that replaces what was read and nothing else, so it may be
    /// interrupted, repeated, and done by several at once.
    /// - Returns: how many were.
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

    /// Makes the key that will sign next. The present one signs on until then, and its tokens stay
    /// good until they expire.
    ///
    /// Where there is a next key already, it is brought forward.
    /// - Parameters:
    ///   - lead: seconds until it signs, at least ``shortestLead``. With less than
    ///     ``publicationLead``, verifiers that keep the published set refuse the new key's tokens
    ///     until they ask again.
    ///   - caller: who asks for it, for the event.
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
            throw AuthError(
                .keyPending, "there is a new key already that has not begun to sign; see: rest-auth keys list")
        }
        return next
    }

    /// Refuses every token of a key from now on, here at once and in other processes within two
    /// seconds, or ``AuthConfiguration/revocationBound`` where that is longer: for a key that
    /// leaked. The next one in the row signs, or a new one when there is none. Sessions go on:
    /// their clients renew.
    /// - Throws: `key_not_found`.
    public func revoke(_ id: String, by caller: Caller = .application) async throws {
        guard try await delete(id, by: caller) else { throw AuthError(.keyNotFound, "there is no key \(id)") }
        try await load()
        try await insertFirst()
    }

    /// Refuses every token of every key that there is, for when all of them leaked: a new one signs
    /// at once, and the others are revoked as by ``revoke(_:by:)``.
    /// - Returns: the new key.
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

    /// Makes the next key when the newest has signed nearly as long as it should, or is of another
    /// kind than is configured.
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

    /// Looks at the storage again, unless that was done just now: once for all who ask meanwhile.
    /// - Throws: what the storage throws; then nobody knows what a token of an unknown key is
    ///   worth.
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

    /// Whether that key is still one of ours, by a look at the storage of the last two seconds.
    /// - Throws: what the storage throws; `storage_unavailable` when nobody knows.
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

    /// Takes over what the storage has: keys that other processes made, and without those that were
    /// deleted.
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
        // One that cannot be opened keeps nobody from hearing of another that is gone, and is used
        // as before where it was: its id says that it is the same, sealed under a secret that has
        // not come here yet.
        apply(zip(stored, keys).compactMap { (try? $1.get()) ?? known[$0.id] }, readAt: start)
        let failure = keys.lazy.compactMap { key in if case .failure(let error) = key { error } else { nil } }.first
        looks.withLock { $0.isWhole = failure == nil }
        guard let failure else { return }
        // At the start it is said why; later somebody changes the secret.
        throw known.isEmpty
            ? failure
            : AuthError(
                .storageUnavailable, "a signing key was encrypted under a secret that is not known here", retryAfter: 1)
    }

    /// Makes sure that a server with these secrets would start over those keys.
    /// - Throws: `misconfigured`, as that would.
    package static func check(_ stored: [StoredSigningKey], by secrets: KnownSecrets) throws {
        for key in stored { _ = try SigningKey.opened(key, by: secrets) }
    }

    /// Whether all keys of the storage could be opened by the last look.
    var isWhole: Bool { looks.withLock { $0.isWhole } }

    /// Takes up what the file of the secrets has by now, if that opens every key, as at a start.
    ///
    /// The keys were read before the file is: whoever seals one under a new secret has written that
    /// down before.
    private func followSecrets(opening stored: [StoredSigningKey]) {
        secrets.follow { secrets in for key in stored { _ = try SigningKey.opened(key, by: secrets) } }
    }

    /// Takes up a new secret at once, for who has met work of one that is not known: whoever does
    /// such work has written the secret down before. A look at the file, and no more unless it has
    /// changed.
    func followSecretsNow() async throws {
        if secrets.isFileChanged { try await load() }
    }

    /// What was read before something that has been applied may have a key that was deleted since:
    /// it comes too late.
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
