public import Foundation
import Logging

/// Rotates the instance's secret: reports the status, encrypts anew, and ends what still needs the
/// previous secret.
public final class SecretRotation: Sendable {
    /// The state of a rotation, and what still needs the previous secret.
    public struct Status: Sendable, Hashable {
        public let present: SecretID
        /// Id of the next secret; `nil` for none.
        public let next: SecretID?
        public let previous: SecretID?
        /// Number of signing keys.
        public let signingKeys: Int
        /// Number of signing keys that are not encrypted under the present secret.
        public let signingKeysToReseal: Int
        /// Number of secrets of authenticator apps and keys of recovery codes.
        public let factors: Int
        /// Number of them that are encrypted under the previous secret.
        public let factorsToReseal: Int
        /// Number of clients.
        public let clients: Int
        /// Ids of the clients that have not signed in since the rotation; only then can a new
        /// digest of their secret be made.
        public let clientsOfPrevious: [String]
        /// Number of live tokens for programs.
        public let tokens: Int
        /// Number of them that have not been used since the rotation; only then can a new digest be
        /// made.
        public let tokensOfPrevious: Int
        /// Number of live sessions with refresh tokens.
        public let sessions: Int
        /// Number of them that have not been renewed twice since the rotation: the previous token
        /// stays valid until the newest one has been used.
        public let sessionsOfPrevious: Int
        /// Latest expiry of those sessions if they are not renewed; `nil` for none.
        public let lastSessionOfPreviousExpiresAt: Date?

        /// Whether anything becomes unusable without the previous secret.
        public var needsPrevious: Bool {
            signingKeysToReseal > 0 || factorsToReseal > 0 || !clientsOfPrevious.isEmpty || tokensOfPrevious > 0
                || sessionsOfPrevious > 0
        }
    }

    let storage: any Storage
    let secrets: InstanceSecrets
    let keys: SigningKeys
    let factors: Factors
    let tokens: ProgramTokens
    let sealer: AuditSealer
    let revocations: Revocations
    let now: @Sendable () -> Date

    init(
        storage: any Storage, secrets: InstanceSecrets, keys: SigningKeys, factors: Factors, tokens: ProgramTokens,
        sealer: AuditSealer, revocations: Revocations, now: @escaping @Sendable () -> Date
    ) {
        self.storage = storage
        self.secrets = secrets
        self.keys = keys
        self.factors = factors
        self.tokens = tokens
        self.sealer = sealer
        self.revocations = revocations
        self.now = now
    }

    /// Reads the state of the rotation from the storage and the known secrets.
    public func status() async throws -> Status {
        try await keys.load()
        let known = secrets.known
        let mark = known.maker.mark
        let hasPrevious = known.previous != nil
        let factors = try await factors.countSecrets()
        let tokens = try await tokens.countDigests()
        let sessions = try await storage.renewableSessions(notMarked: mark, at: now())
        return Status(
            present: known.present.id, next: known.next?.id, previous: known.previous?.id,
            signingKeys: keys.list().count, signingKeysToReseal: keys.countToReseal,
            factors: factors.all, factorsToReseal: factors.ofPrevious,
            clients: try await storage.clients().count,
            clientsOfPrevious: hasPrevious ? try await storage.clients(notMarked: mark) : [],
            tokens: tokens.all, tokensOfPrevious: tokens.ofPrevious,
            sessions: sessions.count, sessionsOfPrevious: hasPrevious ? sessions.unmarkedCount : 0,
            lastSessionOfPreviousExpiresAt: hasPrevious ? sessions.lastUnmarkedExpiry : nil)
    }

    /// Encrypts the signing keys and the secrets of factors under the present secret, where they
    /// are not, and seals the end of the audit trail with it, which vouches for all events before.
    /// Can be interrupted and repeated.
    /// - Returns: the numbers of newly encrypted ones; 0 without a previous secret.
    @discardableResult
    public func reseal() async throws -> (signingKeys: Int, factors: Int) {
        let counts = (signingKeys: try await keys.reseal(), factors: try await factors.reseal())
        do {
            try await sealer.seal()
        } catch let error as AuthError where error.code == .auditTrailBroken {
            // A broken audit trail is no reason to keep a secret that may have leaked.
            Logger.current.warning("events could not be sealed", metadata: ["error": "\(error)"])
        }
        return counts
    }

    /// Ends the sessions, deletes the tokens for programs and removes the clients that need the
    /// previous secret, because their owners cannot be told from whoever got hold of it. Signing
    /// keys and the secrets of factors are encrypted anew.
    /// - Returns: the number of ended sessions, the ids of the removed clients, and the number of
    ///   deleted tokens.
    @discardableResult
    public func endWhatNeedsPrevious(
        by caller: Caller = .application
    ) async throws -> (sessions: Int, clients: [String], tokens: Int) {
        try await reseal()
        let known = secrets.known
        guard let previous = known.previous else { return (0, [], 0) }
        let mark = known.maker.mark
        let cause = AuthEvent.secretDropped(previous.id).by(caller, at: now())
        var sessions = 0
        while case let lines = try await storage.endSessions(
            notMarked: mark, limit: 1000, at: cause.at, recording: cause), !lines.isEmpty
        {
            revocations.applyEnded(lines, of: nil, by: cause)
            sessions += lines.count
        }
        var clients: [String] = []
        for id in try await storage.clients(notMarked: mark) {
            let event = AuthEvent.clientDeleted(id: id).by(caller, at: now())
            guard try await storage.deleteClient(id: id, recording: event) else { continue }
            event.record()
            clients.append(id)
        }
        return (sessions, clients, try await tokens.deleteWhatNeedsPrevious(by: caller))
    }

    /// Records a change of the file of secrets whose command was killed before it recorded the
    /// change: the present secret, or the drop of the previous one, if the last events of these
    /// names do not say so.
    /// - Returns: whether an event was recorded.
    @discardableResult
    package func recordMissed(by caller: Caller) async throws -> Bool {
        let known = secrets.known
        func last(_ name: AuthEvent.Name) async throws -> (id: Int64, details: JSON?)? {
            var query = EventQuery()
            query.names = [name]
            return try await storage.events(matching: query, limit: 1).first
                .map { ($0.id, JSON($0.fields.details.utf8)) }
        }
        let rotated = try await last(.secretRotated)
        let isNamed = rotated?.details?["secret_id"]?.string == known.present.id.description
        if let previous = known.previous {
            guard !isNamed else { return false }
            try await recordRotation(to: known.present.id, from: previous.id, by: caller)
            return true
        }
        guard let rotated, isNamed, known.next == nil,
            let previous = rotated.details?["previous_secret_id"]?.string.flatMap(SecretID.init),
            try await last(.secretDropped).map({ $0.id < rotated.id }) ?? true
        else { return false }
        try await storage.append(AuthEvent.secretDropped(previous).by(caller, at: now()))
        return true
    }

    /// Records the new secret with the head of the audit trail, so that a trail that is later made
    /// anew under the previous secret contradicts the row. A broken trail has no head.
    private func recordRotation(to present: SecretID, from previous: SecretID, by caller: Caller) async throws {
        let head = try? await sealer.trail.head()
        try await storage.append(
            AuthEvent.secretRotated(present, previous: previous, head: head).by(caller, at: now()))
    }

    /// Records a change of the secrets in the audit trail. The change itself is only in a file, and
    /// each process that follows it writes no more than a log line.
    package func recordChange(from before: Status, by caller: Caller) async throws {
        let after = try await status()
        if after.present != before.present {
            try await recordRotation(to: after.present, from: before.present, by: caller)
        }
        let known = [after.present, after.next, after.previous]
        for id in [before.present, before.next, before.previous].compactMap(\.self) where !known.contains(id) {
            try await storage.append(AuthEvent.secretDropped(id).by(caller, at: now()))
        }
    }
}
