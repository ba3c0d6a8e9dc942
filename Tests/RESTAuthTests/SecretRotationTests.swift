import Crypto
import Foundation
import RESTAuth
import RESTAuthSQLite
import RESTAuthTesting
import Support
import Testing

/// One storage, used by processes that know different secrets.
@Suite struct SecretRotationTests {
    let storage: SQLiteStorage
    private let clock = TestClock()
    let old = InstanceSecret()
    let new = InstanceSecret()

    init() async throws { storage = try await SQLiteStorage() }

    func process(
        _ secrets: InstanceSecrets, _ configure: (inout AuthConfiguration) -> Void = { _ in }
    ) async throws -> TestAuth {
        try await TestAuth(over: storage, secret: old, clock: clock) {
            $0.secrets = secrets
            configure(&$0)
        }
    }

    /// Processes before the change, during it (first those that only accept the new secret), and
    /// after it.
    func before() async throws -> TestAuth { try await process(InstanceSecrets(old)) }
    func prepared() async throws -> TestAuth { try await process(InstanceSecrets(old, next: new)) }
    func changed() async throws -> TestAuth { try await process(InstanceSecrets(new, previous: old)) }
    func after() async throws -> TestAuth { try await process(InstanceSecrets(new)) }

    // MARK: Keys

    /// A process that does not have the new secret keeps its keys, and reports that it is not
    /// ready.
    @Test func aProcessThatDoesNotKnowTheSecretKeepsItsKeys() async throws {
        let late = try await before()
        let token = try await late.session().access
        let keys = late.auth.signingKeys.jwks
        #expect(try await changed().auth.secretRotation.reseal().signingKeys == 1)
        await late.expect(.storageUnavailable) { try await late.auth.signingKeys.load() }
        #expect(late.auth.signingKeys.jwks == keys)
        #expect(try await late.verify(token).username == "miguel")
        #expect(await !late.auth.readiness().storage)
        // It cannot open a key that is new to it, and drops one that was deleted.
        try await changed().auth.signingKeys.replaceAll()
        await late.expect(.storageUnavailable) { try await late.auth.signingKeys.load() }
        #expect(late.auth.signingKeys.list().isEmpty)
        await late.expect(.storageUnavailable) { try await late.signIn() }
    }

    // MARK: Events

    /// Names and secret ids of the recorded events about secrets.
    private func recorded() async throws -> [String] {
        try await storage.events(after: 0, limit: 100).filter { $0.fields.name.hasPrefix("secret.") }
            .map { "\($0.fields.name) \(JSON($0.fields.details.utf8)?["secret_id"]?.string ?? "-")" }
    }

    /// A command that is killed after writing the file and before recording the event is run again.
    @Test func whatAKilledCommandHasNotRecordedTheNextOneDoesOnce() async throws {
        let caller = Caller(OperatorIdentity(account: "root"))
        func record(_ process: TestAuth) async throws -> Bool {
            try await process.auth.secretRotation.recordMissed(by: caller)
        }
        #expect(try await !record(before()))
        #expect(try await !record(prepared()))
        let changed = try await changed()
        let (present, previous) = try await { ($0.present, $0.previous) }(changed.auth.secretRotation.status())
        #expect(try await record(changed))
        #expect(try await !record(changed))
        #expect(try await recorded() == ["secret.rotated \(present)"])
        try await changed.auth.secretRotation.reseal()
        #expect(try await record(after()))
        #expect(try await !record(after()))
        #expect(try await recorded() == ["secret.rotated \(present)", "secret.dropped \(previous?.description ?? "")"])
        #expect(try await storage.events(after: 0, limit: 100).last?.fields.actorKind == "operator")
    }

    @Test func aChangeThatWasRecordedIsNotRecordedAgain() async throws {
        let (first, second) = (try await before(), try await changed())
        let status = try await first.auth.secretRotation.status()
        try await second.auth.secretRotation.recordChange(from: status, by: .application)
        try await second.auth.secretRotation.reseal()
        #expect(try await !second.auth.secretRotation.recordMissed(by: .application))
        try await after().auth.secretRotation.recordChange(
            from: second.auth.secretRotation.status(), by: .application)
        #expect(try await !after().auth.secretRotation.recordMissed(by: .application))
        #expect(try await recorded().count == 2)
    }

    // MARK: Sessions

    @Test func aSessionGoesOnAndNeedsTheOldSecretUntilItHasBeenRenewedTwice() async throws {
        let first = try await before().session()
        #expect(first.refresh.value.utf8.count == 112)
        let changed = try await changed()
        _ = try await changed.verify(first.access)
        #expect(try await changed.auth.secretRotation.status().sessionsOfPrevious == 1)
        let second = try await changed.auth.sessions.refresh(first.refresh.value)
        #expect(second.refresh.value.utf8.count == 118)
        // The token before is accepted until the newest has been used.
        #expect(try await changed.auth.secretRotation.status().sessionsOfPrevious == 1)
        #expect(try await changed.auth.sessions.refresh(first.refresh.value).refresh.value == second.refresh.value)
        let third = try await changed.auth.sessions.refresh(second.refresh.value)
        #expect(try await changed.auth.secretRotation.reseal().signingKeys == 1)
        let status = try await changed.auth.secretRotation.status()
        #expect(status.sessions == 1)
        #expect(!status.needsPrevious)
        let after = try await after()
        let fourth = try await after.auth.sessions.refresh(third.refresh.value)
        #expect(try await after.auth.sessions.refresh(third.refresh.value).refresh.value == fourth.refresh.value)
        _ = try await after.auth.sessions.refresh(fourth.refresh.value)
        _ = try await after.verify(fourth.access)
    }

    /// Whichever process renews first, the others repeat the same answer, whatever their present
    /// secret is.
    @Test(arguments: [[0, 1, 2], [2, 1, 0], [1, 2, 0], [2, 0, 1]])
    func aLostAnswerIsTheSameFromEveryProcess(order: [Int]) async throws {
        // A process that has never had an earlier secret marks nothing with the id of a secret.
        let first = try await before().session()
        let processes = [try await prepared(), try await changed(), try await prepared()]
        var token = first.refresh.value
        for _ in 0..<3 {
            var successors: Set<String> = []
            for index in order + order {
                successors.insert(try await processes[index].auth.sessions.refresh(token).refresh.value)
            }
            #expect(successors.count == 1)
            token = try #require(successors.first)
        }
    }

    @Test func fiftyTabsAtThreeProcessesGetOneSuccessor() async throws {
        let first = try await before().session()
        let processes = [try await prepared(), try await changed(), try await changed()]
        let successors = try await withThrowingTaskGroup(of: String.self) { group in
            for number in 0..<50 {
                group.addTask {
                    try await processes[number % 3].auth.sessions.refresh(first.refresh.value).refresh.value
                }
            }
            return try await group.reduce(into: Set<String>()) { $0.insert($1) }
        }
        #expect(successors.count == 1)
        _ = try await processes[0].auth.sessions.refresh(#require(successors.first))
    }

    @Test func aTokenOfBeforeWhoseSuccessorWasUsedStillEndsTheSession() async throws {
        let first = try await before().session()
        let changed = try await changed()
        let second = try await changed.auth.sessions.refresh(first.refresh.value)
        _ = try await changed.auth.sessions.refresh(second.refresh.value)
        await changed.expect(.refreshTokenReused) { try await changed.auth.sessions.refresh(first.refresh.value) }
    }

    /// The process cannot repeat the answer that was given, and does not treat the request as
    /// theft.
    @Test func aProcessThatWasForgottenAsksToComeBackAndEndsNothing() async throws {
        let forgotten = try await before()
        let first = try await forgotten.session()
        let changed = try await changed()
        let second = try await changed.auth.sessions.refresh(first.refresh.value)
        await forgotten.expect(.storageUnavailable) { try await forgotten.auth.sessions.refresh(first.refresh.value) }
        await forgotten.expect(.invalidGrant) { try await forgotten.auth.sessions.refresh(second.refresh.value) }
        _ = try await changed.auth.sessions.refresh(second.refresh.value)
    }

    @Test func withoutTheOldSecretWhatWasMadeWithItIsRefused() async throws {
        let before = try await before()
        let first = try await before.session()
        try await changed().auth.secretRotation.reseal()
        let after = try await after()
        await after.expect(.invalidGrant) { try await after.auth.sessions.refresh(first.refresh.value) }
        #expect(try await !after.auth.sessions.end(presenting: first.refresh.value))
    }

    @Test func aTokenIsGoodUnderItsOwnMarkOnly() async throws {
        let unmarked = try await before().session()
        let changed = try await changed()
        let marked = try await changed.session("susan")
        let (plain, bytes) = (
            try #require(Base64.url.decode(unmarked.refresh.value.utf8)),
            try #require(Base64.url.decode(marked.refresh.value.utf8))
        )
        let mark = Array(bytes.prefix(4))
        let ofOld = try await prepared().auth.secretRotation.status().present.description
        let oldMark = stride(from: 0, to: 8, by: 2).map { UInt8(ofOld.dropFirst($0).prefix(2), radix: 16) ?? 0 }
        var refused: [[UInt8]] = [
            mark + plain, oldMark + plain, oldMark + bytes.dropFirst(4), [0, 0, 0, 0] + bytes.dropFirst(4),
            Array(bytes.dropFirst(4)), Array(bytes.dropLast()), Array(bytes.dropFirst()), bytes + [0], mark, [],
            Array(bytes.prefix(56)), Array(repeating: 0, count: 88),
        ]
        for index in bytes.indices {
            var changed = bytes
            changed[index] ^= 1
            refused.append(changed)
        }
        for token in refused {
            await changed.expect(.invalidGrant) { try await changed.auth.sessions.refresh(Base64.url.encode(token)) }
            #expect(try await !changed.auth.sessions.end(presenting: Base64.url.encode(token)))
        }
        _ = try await changed.auth.sessions.refresh(unmarked.refresh.value)
        _ = try await changed.auth.sessions.refresh(marked.refresh.value)
    }

    // MARK: Clients

    @Test func aClientIsDigestedAnewWhenItSignsIn() async throws {
        let before = try await before()
        let (gateway, idle) = (try await before.auth.clients.add("gateway"), try await before.auth.clients.add("idle"))
        let changed = try await changed()
        #expect(try await changed.auth.secretRotation.status().clientsOfPrevious == ["gateway", "idle"])
        for secret in [idle.value, "", gateway.value + "x"] {
            await changed.expect(.invalidClient) {
                try await changed.auth.clients.authenticate("gateway", secret: secret)
            }
        }
        #expect(try await changed.auth.secretRotation.status().clientsOfPrevious == ["gateway", "idle"])
        // A process that is not yet so far changes nothing.
        try await prepared().auth.clients.authenticate("gateway", secret: gateway.value)
        #expect(try await changed.auth.secretRotation.status().clientsOfPrevious == ["gateway", "idle"])
        try await changed.auth.clients.authenticate("gateway", secret: gateway.value)
        #expect(try await changed.auth.secretRotation.status().clientsOfPrevious == ["idle"])
        try await changed.auth.secretRotation.reseal()
        for process in [try await prepared(), changed, try await after()] {
            try await process.auth.clients.authenticate("gateway", secret: gateway.value)
            await process.expect(.invalidClient) {
                try await process.auth.clients.authenticate("gateway", secret: idle.value)
            }
        }
        let after = try await after()
        await after.expect(.invalidClient) { try await after.auth.clients.authenticate("idle", secret: idle.value) }
    }

    @Test func aDigestOfAnotherClientOrUnderAnotherMarkIsNoGood() async throws {
        let changed = try await changed()
        let (gateway, other) = (
            try await changed.auth.clients.add("gateway"), try await changed.auth.clients.add("other")
        )
        let digest = try #require(await storage.clientSecretDigest(id: "gateway"))
        #expect(digest.count == 36)
        var stored = digest
        let others: [[UInt8]] = [
            Array(digest.dropFirst(4)), Array(digest.prefix(4)), [], [0, 0, 0, 0] + digest.dropFirst(4), digest + [0],
            Array(digest.dropLast()), try #require(await storage.clientSecretDigest(id: "other")),
        ]
        for wrong in others {
            #expect(try await storage.replaceClientSecretDigest(id: "gateway", stored, with: wrong))
            stored = wrong
            let isSuffix = wrong == Array(digest.dropFirst(4))
            // Without the mark it is what the new secret makes when it is the only one.
            if !isSuffix {
                await changed.expect(.invalidClient) {
                    try await changed.auth.clients.authenticate("gateway", secret: gateway.value)
                }
            }
        }
        try await changed.auth.clients.authenticate("gateway", secret: other.value)
    }

    // MARK: Registration

    @Test func aChallengeIsGoodBesideTheOtherSecretUnlessItIsEasierThanOurs() async throws {
        func configure(_ bits: Int) -> (inout AuthConfiguration) -> Void {
            {
                $0.registrationChallenge = bits
                $0.throttle.isOn = false
            }
        }
        let hard = try await process(InstanceSecrets(old), configure(9))
        let easy = try await process(InstanceSecrets(old), configure(8))
        let changed = try await process(InstanceSecrets(new, previous: old), configure(9))
        let eased = try proof(easy.auth.registration.challenge())
        await changed.expect(.challengeInvalid) {
            try await changed.auth.registration.register("miguel", password: "python", proof: eased)
        }
        let proof = try proof(hard.auth.registration.challenge())
        _ = try await changed.auth.registration.register("miguel", password: "python", proof: proof)
    }

    private func proof(_ challenge: RegistrationChallenge?) throws -> RegistrationProof {
        let challenge = try #require(challenge)
        let nonce = (0...).lazy.map(String.init).first { nonce in
            let work = SHA256.hash(data: Data("\(challenge.value).\(nonce)".utf8))
            return work.reduce(into: (0, true)) { state, byte in
                if state.1 { state.0 += byte.leadingZeroBitCount }
                state.1 = state.1 && byte == 0
            }.0 >= challenge.difficulty
        }
        return RegistrationProof(challenge: challenge.value, nonce: nonce)
    }

    // MARK: Dropping the secret

    @Test func whatNeedsTheOldSecretIsEndedWhenThatIsAskedFor() async throws {
        let before = try await before()
        let (gone, renewed) = (try await before.session(), try await before.session("susan"))
        _ = try await before.auth.clients.add("idle")
        let changed = try await changed()
        try await changed.readFeed()
        let kept = try await changed.auth.sessions.refresh(
            changed.auth.sessions.refresh(renewed.refresh.value).refresh.value)
        let fresh = try await changed.session("david")
        let plain = try await changed.auth.sessions.token(
            for: changed.auth.login.identify("david", password: "python"))
        let ended = try await changed.auth.secretRotation.endWhatNeedsPrevious()
        #expect(ended.sessions == 1)
        #expect(ended.clients == ["idle"])
        #expect(try await !changed.auth.secretRotation.status().needsPrevious)
        await changed.expect(.invalidToken) { try await changed.verify(gone.access) }
        for access in [kept.access, fresh.access, plain] { _ = try await changed.verify(access) }
        _ = try await after().auth.sessions.refresh(kept.refresh.value)
        // Without an earlier secret there is nothing to end.
        let again = try await after().auth.secretRotation.endWhatNeedsPrevious()
        #expect(again.sessions == 0 && again.clients.isEmpty)
    }

    @Test func theSameSecretTwiceIsRefused() throws {
        for make in [
            { try InstanceSecrets(self.old, next: self.old) }, { try InstanceSecrets(self.old, previous: self.old) },
        ] as [() throws -> InstanceSecrets] {
            let error = #expect(throws: AuthError.self) { try make() }
            #expect(error?.code == .misconfigured)
        }
    }
}
