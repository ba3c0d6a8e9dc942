import Crypto
import Foundation
import RESTAuth
import RESTAuthSQLite
import RESTAuthTesting
import Testing

@Suite struct RegistrationTests {
    /// The nonce that solves a challenge.
    private static func solve(_ challenge: RegistrationChallenge) -> String {
        var nonce = 0
        while !isSolved(challenge.value, "\(nonce)", by: challenge.difficulty) { nonce += 1 }
        return "\(nonce)"
    }

    private static func isSolved(_ challenge: String, _ nonce: String, by difficulty: Int) -> Bool {
        var zeroBits = 0
        for byte in SHA256.hash(data: Data("\(challenge).\(nonce)".utf8)) {
            zeroBits += byte.leadingZeroBitCount
            if byte != 0 { break }
        }
        return zeroBits >= difficulty
    }

    private func proof(_ challenge: RegistrationChallenge?, invitation: String? = nil) throws -> RegistrationProof {
        let challenge = try #require(challenge)
        return RegistrationProof(invitation: invitation, challenge: challenge.value, nonce: Self.solve(challenge))
    }

    /// Runs `body` while the only hashing thread and the only place in its queue are taken: any
    /// request for a hash is told `overloaded`.
    private func whileNothingCanBeHashed(_ test: TestAuth, _ body: () async throws -> Void) async throws {
        let pool = test.auth.passwords.pool
        let (isTaken, gate) = (AsyncStream.makeStream(of: Void.self), DispatchSemaphore(value: 0))
        try await withThrowingTaskGroup(of: Bool.self) { group in
            defer { gate.signal() }
            group.addTask {
                try await pool.run {
                    isTaken.continuation.finish()
                    gate.wait()
                }
                return true
            }
            for await _ in isTaken.stream {}
            for _ in 0..<2 { group.addTask { (try? await pool.run {}) != nil } }
            // Of the two, one waits, and this one found no place.
            #expect(try await group.next() == false)
            try await body()
        }
    }

    private static func leastHashing(_ configuration: inout AuthConfiguration) {
        configuration.hashingThreads = 1
        configuration.hashingQueue = 1
    }

    private func userCount(_ test: TestAuth) async throws -> Int { try await test.auth.users.list().count }

    // MARK: Modes

    @Test func whereItIsOpenNothingIsAskedFor() async throws {
        let test = try await TestAuth()
        let nonsense = RegistrationProof(invitation: "nonsense", challenge: "nonsense", nonce: "x")
        for (name, proof) in [("miguel", RegistrationProof()), ("susan", nonsense)] {
            #expect(try await test.auth.registration.register(name, password: "python", proof: proof).username == name)
            _ = try await test.auth.login.identify(name, password: "python")
        }
        #expect(test.auth.registration.challenge() == nil)
    }

    @Test func whereItIsClosedNobodyComesButByTheOperatorsDoor() async throws {
        let test = try await TestAuth {
            $0.registration = .closed
            $0.registrationChallenge = 8
        }
        let (_, code) = try await test.auth.registration.invite()
        for (name, password) in [("miguel", "python"), ("", ""), ("a:b", "\u{0}")] {
            let proof = RegistrationProof(invitation: code.value)
            await test.expect(.signupDisabled) {
                try await test.auth.registration.register(name, password: password, proof: proof)
            }
        }
        #expect(test.auth.registration.challenge() == nil)
        #expect(try await test.auth.registration.invitations().count == 1)
        _ = try await test.auth.users.register("miguel", password: "python")
        _ = try await test.auth.login.identify("miguel", password: "python")
    }

    @Test(arguments: [7, 31, 0, -1])
    func aDifficultyThatIsNoneIsRefusedAtStart(difficulty: Int) async throws {
        let error = await #expect(throws: AuthError.self) {
            try await TestAuth { $0.registrationChallenge = difficulty }
        }
        #expect(error?.code == .misconfigured)
        #expect(error?.detail == "registration challenge is \(difficulty) and must be 8 to 30")
    }

    // MARK: Invitations

    @Test func anInvitationIsGoodForOneUserAsItWasTypedOrAlmost() async throws {
        let test = try await TestAuth { $0.registration = .invitation }
        let spellings: [(String) -> String] = [
            { $0 }, { $0.lowercased() }, { $0.replacing("-", with: "") }, { " " + $0.replacing("-", with: " ") + "\n" },
        ]
        for (number, spelling) in spellings.enumerated() {
            let proof = RegistrationProof(invitation: spelling(try await test.auth.registration.invite().code.value))
            _ = try await test.auth.registration.register("user-\(number)", password: "python", proof: proof)
            await test.expect(.invitationInvalid) {
                try await test.auth.registration.register("late", password: "python", proof: proof)
            }
        }
        #expect(try await userCount(test) == spellings.count)
        #expect(try await test.auth.registration.invitations().isEmpty)
    }

    @Test func unknownUsedExpiredAndDeletedAreOneRefusal() async throws {
        let test = try await TestAuth {
            $0.registration = .invitation
            Self.leastHashing(&$0)
        }
        let registration = test.auth.registration
        let (used, deleted) = (try await registration.invite(), try await registration.invite())
        let expired = try await registration.invite(duration: 60)
        _ = try await registration.register(
            "miguel", password: "python", proof: RegistrationProof(invitation: used.code.value))
        try await registration.deleteInvitation(deleted.invitation.id)
        let kept = try await registration.invite(duration: 61)
        test.clock.advance(by: 60)
        var refusals: Set<AuthError> = []
        // None of them gets as far as hashing.
        try await whileNothingCanBeHashed(test) {
            for code in [
                used.code.value, deleted.code.value, expired.code.value, used.invitation.id, "", "-", "nonsense",
                "\u{0}", "💥",
            ] {
                do {
                    _ = try await registration.register(
                        "susan", password: "python", proof: RegistrationProof(invitation: code))
                    Issue.record("\(code) was taken")
                } catch let error as AuthError {
                    refusals.insert(error)
                }
            }
            await test.expect(.invitationRequired) { try await registration.register("susan", password: "python") }
        }
        #expect(refusals == [.invitationInvalid])
        #expect(try await registration.invitations() == [kept.invitation])
        #expect(try await userCount(test) == 1)
    }

    @Test func thereIsAsMuchWorkForACodeThatNeverWasAsForOneThatHasExpired() async throws {
        let test = try await TestAuth { $0.registration = .invitation }
        let (_, code) = try await test.auth.registration.invite(duration: 1)
        test.clock.advance(by: 1)
        for code in [code.value, "nonsense"] {
            let statements = try await test.storage.countingStatements {
                await test.expect(.invitationInvalid) {
                    try await test.auth.registration.register(
                        "miguel", password: "python", proof: RegistrationProof(invitation: code))
                }
            }
            #expect(statements == 1)
        }
    }

    @Test func aRegistrationThatIsRefusedUsesNothingUp() async throws {
        let test = try await TestAuth {
            $0.registration = .invitation
            $0.registrationChallenge = 8
            $0.passwordPolicy = .nist
        }
        let registration = test.auth.registration
        let password = "correct horse battery staple"
        _ = try await test.auth.users.register("miguel", password: password)
        let (invitation, code) = try await registration.invite()
        let proof = try proof(registration.challenge(), invitation: code.value)
        await test.expect(.userAlreadyExists) {
            try await registration.register("MIGUEL", password: password, proof: proof)
        }
        await test.expect(.weakPassword) { try await registration.register("susan", password: "python", proof: proof) }
        await test.expect(.validationFailed) {
            try await registration.register("a:b", password: password, proof: proof)
        }
        await test.expect(.validationFailed) { try await registration.register("susan", password: "", proof: proof) }
        #expect(try await registration.invitations() == [invitation])
        _ = try await registration.register("susan", password: password, proof: proof)
        #expect(try await registration.invitations().isEmpty)
    }

    @Test func anOverloadedServerUsesNothingUp() async throws {
        let test = try await TestAuth {
            $0.registration = .invitation
            $0.registrationChallenge = 8
            Self.leastHashing(&$0)
        }
        let registration = test.auth.registration
        let proof = try await proof(registration.challenge(), invitation: registration.invite().code.value)
        try await whileNothingCanBeHashed(test) {
            await test.expect(.overloaded) {
                try await registration.register("miguel", password: "python", proof: proof)
            }
        }
        #expect(try await registration.invitations().count == 1)
        _ = try await registration.register("miguel", password: "python", proof: proof)
    }

    @Test func aCodeHas140BitsAndNothingOfItIsStored() async throws {
        let test = try await TestAuth()
        var codes: Set<String> = []
        for _ in 0..<50 {
            let (invitation, code) = try await test.auth.registration.invite()
            #expect(code.value.wholeMatch(of: /([2-9A-HJ-NP-Z]{4}-){6}[2-9A-HJ-NP-Z]{4}/) != nil)
            #expect("\(code)" == "redacted")
            #expect(String(reflecting: code) == "redacted")
            codes.insert(code.value)
            let digest = Array(SHA256.hash(data: Data(code.value.replacing("-", with: "").utf8)))
            #expect(try await test.storage.invitation(codeDigest: digest) == invitation)
        }
        #expect(codes.count == 50)
        // Every character of the alphabet occurs.
        #expect(Set(codes.joined()).count == 33)
        #expect("\(RegistrationProof(invitation: "secret"))" == "redacted")
    }

    @Test(arguments: [
        ("", 0), ("", -1), ("", Registration.longestInvitation + 1), (String(repeating: "x", count: 201), 60),
        ("a\nb", 60), ("\u{9b}", 60),
    ])
    func anInvitationThatCannotBeIsRefused(note: String, duration: Int) async throws {
        let test = try await TestAuth()
        await test.expect(.validationFailed) { try await test.auth.registration.invite(note: note, duration: duration) }
        #expect(try await test.auth.registration.invitations().isEmpty)
    }

    @Test func anInvitationIsTakenBackOnce() async throws {
        let test = try await TestAuth()
        let (invitation, _) = try await test.auth.registration.invite(note: "Susan of accounting", duration: 60)
        #expect(try await test.auth.registration.invitations() == [invitation])
        #expect(invitation.note == "Susan of accounting")
        #expect(invitation.expiresAt.timeIntervalSince(invitation.createdAt) == 60)
        try await test.auth.registration.deleteInvitation(invitation.id)
        for id in [invitation.id, "", "nonsense"] {
            await test.expect(.invitationNotFound) { try await test.auth.registration.deleteInvitation(id) }
        }
    }

    // MARK: Challenges

    @Test func aSolvedChallengeIsGoodOnceAndOnEveryNode() async throws {
        let (storage, secret, clock) = (try await SQLiteStorage(), InstanceSecret(), TestClock())
        let nodes = [
            try await TestAuth(over: storage, secret: secret, clock: clock) { $0.registrationChallenge = 10 },
            try await TestAuth(over: storage, secret: secret, clock: clock) { $0.registrationChallenge = 8 },
        ]
        let challenge = try #require(nodes[0].auth.registration.challenge())
        #expect((challenge.difficulty, challenge.duration) == (10, 300))
        let proof = try proof(challenge)
        _ = try await nodes[1].auth.registration.register("miguel", password: "python", proof: proof)
        for node in nodes {
            await node.expect(.challengeInvalid) {
                try await node.auth.registration.register("susan", password: "python", proof: proof)
            }
        }
        #expect(try await userCount(nodes[0]) == 1)
    }

    @Test func whatDoesNotSolveAChallengeIsOneRefusalBeforeTheHash() async throws {
        let test = try await TestAuth {
            $0.registrationChallenge = 8
            Self.leastHashing(&$0)
        }
        let foreign = try await TestAuth { $0.registrationChallenge = 8 }
        let registration = test.auth.registration
        let challenge = try #require(registration.challenge())
        let nonce = Self.solve(challenge)
        let wrong = try #require((0...).lazy.map(String.init).first { !Self.isSolved(challenge.value, $0, by: 8) })
        let other = try #require(foreign.auth.registration.challenge())
        // An easier challenge that the client made itself.
        var bytes = try #require(Base64.url.decode(challenge.value.utf8))
        bytes[24] = 0
        let eased = Base64.url.encode(bytes)
        bytes[24] = 8
        bytes[17] = 1
        let prolonged = RegistrationChallenge(value: Base64.url.encode(bytes), difficulty: 8, duration: 300)
        var refusals: Set<AuthError> = []
        let spent = try proof(registration.challenge())
        _ = try await registration.register("susan", password: "python", proof: spent)
        try await whileNothingCanBeHashed(test) {
            for (challenge, nonce) in [
                (challenge.value, wrong), (challenge.value, ""), (challenge.value, "-\(nonce)"),
                (challenge.value, " \(nonce)"),
                (challenge.value, "x"), (challenge.value, "٣"), (challenge.value, String(repeating: "0", count: 21)),
                (challenge.value + "A", nonce), (String(challenge.value.dropLast()), nonce), ("", nonce),
                ("nonsense", nonce), ("💥", nonce),
                (eased, nonce), (eased, "0"), (prolonged.value, Self.solve(prolonged)),
                (other.value, Self.solve(other)),
            ] {
                do {
                    let proof = RegistrationProof(challenge: challenge, nonce: nonce)
                    _ = try await registration.register("miguel", password: "python", proof: proof)
                    Issue.record("\(challenge) \(nonce) was taken")
                } catch let error as AuthError {
                    refusals.insert(error)
                }
            }
            await test.expect(.challengeInvalid) {
                try await registration.register("miguel", password: "python", proof: spent)
            }
        }
        test.clock.advance(by: 300)
        await test.expect(.challengeInvalid) {
            try await registration.register(
                "miguel", password: "python", proof: RegistrationProof(challenge: challenge.value, nonce: nonce))
        }
        #expect(refusals == [.challengeInvalid])
        for proof in [
            RegistrationProof(), RegistrationProof(challenge: challenge.value), RegistrationProof(nonce: nonce),
            RegistrationProof(invitation: "x"),
        ] {
            await test.expect(.challengeRequired) {
                try await registration.register("miguel", password: "python", proof: proof)
            }
        }
        #expect(try await userCount(test) == 1)
    }

    @Test func aChallengeIsGoodToItsLastSecondAndWithAnyNonceOfUpToTwentyDigits() async throws {
        let test = try await TestAuth { $0.registrationChallenge = 8 }
        let challenge = try #require(test.auth.registration.challenge())
        #expect(challenge.value.count == 76)
        // Leading zeros make a different nonce.
        let nonce = try #require(
            (0...).lazy.map { String(repeating: "0", count: 20 - String($0).count) + String($0) }.first {
                Self.isSolved(challenge.value, $0, by: 8)
            })
        test.clock.advance(by: 299)
        _ = try await test.auth.registration.register(
            "miguel", password: "python", proof: RegistrationProof(challenge: challenge.value, nonce: nonce))
    }

    @Test func anInvitationIsNotLookedForWithoutTheWork() async throws {
        let test = try await TestAuth {
            $0.registration = .invitation
            $0.registrationChallenge = 8
        }
        let (_, code) = try await test.auth.registration.invite()
        let statements = try await test.storage.countingStatements {
            for proof in [
                RegistrationProof(invitation: code.value),
                RegistrationProof(invitation: code.value, challenge: "nonsense", nonce: "1"),
            ] {
                let error = await #expect(throws: AuthError.self) {
                    try await test.auth.registration.register("miguel", password: "python", proof: proof)
                }
                #expect(error?.field == "challenge")
            }
        }
        #expect(statements == 0)
        let proof = try proof(test.auth.registration.challenge(), invitation: code.value)
        _ = try await test.auth.registration.register("miguel", password: "python", proof: proof)
    }

    // MARK: Sweeping

    @Test func whatHasExpiredIsSweptAndNothingThatCouldBeUsedAgain() async throws {
        let test = try await TestAuth {
            $0.registration = .invitation
            $0.registrationChallenge = 8
        }
        let registration = test.auth.registration
        let used = try await proof(registration.challenge(), invitation: registration.invite().code.value)
        _ = try await registration.register("miguel", password: "python", proof: used)
        _ = try await registration.invite(duration: 300)
        let digest = Array(SHA256.hash(data: Data(try #require(used.challenge).utf8)))
        test.clock.advance(by: 301)
        try await sweep(test)
        // A process whose clock is slightly behind still accepts it.
        #expect(try await test.storage.isChallengeSpent(digest: digest))
        test.clock.advance(by: 60)
        let kept = try await registration.invite(duration: 300)
        try await sweep(test)
        #expect(try await !test.storage.isChallengeSpent(digest: digest))
        #expect(try await test.storage.invitations() == [kept.invitation])
    }

    private func sweep(_ test: TestAuth) async throws {
        for service in test.auth.services { try await (service as? ExpirySweeper)?.sweep() }
    }
}
