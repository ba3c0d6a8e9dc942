import Authenticators
import Foundation
import RESTAuth
import Testing

@Suite struct PasskeyChallengesTests {
    private let party: RelyingParty
    private let secrets = InstanceSecrets(InstanceSecret())
    private let challenges: PasskeyChallenges
    private let now = Date(timeIntervalSince1970: 2_000_000_000)

    private static let handle = [UInt8](repeating: 7, count: 64)

    init() throws {
        party = try RelyingParty(publicURL: "https://example.org")
        challenges = PasskeyChallenges(secrets: secrets, relyingParty: party)
    }

    private static let purposes: [PasskeyPurpose] = [
        .registration(userHandle: handle, isAlone: false), .registration(userHandle: handle, isAlone: true),
        .registration(userHandle: [8], isAlone: false), .signIn, .signInAs(userHandle: handle),
        .signInAs(userHandle: []), .signInAs(userHandle: [8]), .secondFactor(userHandle: handle, ticket: [1, 2]),
        .secondFactor(userHandle: handle + [1], ticket: [2]), .secondFactor(userHandle: handle, ticket: [1]),
        .secondFactor(userHandle: [], ticket: handle + [1, 2]), .stepUp(userHandle: handle, session: [1, 2]),
        .stepUp(userHandle: handle, session: []),
    ]

    @Test func aChallengeIsKnownAgainForItsPurposeAlone() {
        for (index, purpose) in Self.purposes.enumerated() {
            let challenge = challenges.next(for: purpose, at: now)
            #expect(challenge.count == 32)
            for (other, otherPurpose) in Self.purposes.enumerated() {
                #expect((challenges.spent(challenge, for: otherPurpose, at: now) != nil) == (index == other))
            }
        }
    }

    @Test func aChallengeIsGoodForFiveMinutes() throws {
        let challenge = challenges.next(for: .signIn, at: now)
        #expect(challenges.spent(challenge, for: .signIn, at: now + 299) != nil)
        for seconds in [300, 301, 3_600, 1e9] {
            #expect(challenges.spent(challenge, for: .signIn, at: now + seconds) == nil)
        }
        #expect(try #require(challenges.spent(challenge, for: .signIn, at: now)).expiresAt == now + 300)
    }

    @Test func noTwoChallengesAreTheSame() {
        let all = Set((0..<2_000).map { _ in challenges.next(for: .signIn, at: now) })
        #expect(all.count == 2_000)
        #expect(Set(all.map { Array($0.suffix(16)) }).count == 2_000)
    }

    @Test func whatIsSpentIsTheSameForAChallengeAndNoOther() throws {
        let (one, other) = (challenges.next(for: .signIn, at: now), challenges.next(for: .signIn, at: now))
        let spent = try #require(challenges.spent(one, for: .signIn, at: now))
        #expect(spent == challenges.spent(one, for: .signIn, at: now + 10))
        #expect(spent.digest.count == 32)
        #expect(spent.digest != challenges.spent(other, for: .signIn, at: now)?.digest)
    }

    @Test func everyBitIsHeld() {
        let challenge = challenges.next(for: .signIn, at: now)
        for bit in 0..<256 {
            #expect(challenges.spent(challenge.flipped(bit / 8, 1 << (bit % 8)), for: .signIn, at: now) == nil)
        }
    }

    @Test func anotherLengthIsRefused() {
        let challenge = challenges.next(for: .signIn, at: now)
        for count in 0..<32 { #expect(challenges.spent(Array(challenge.prefix(count)), for: .signIn, at: now) == nil) }
        #expect(challenges.spent(challenge + [0], for: .signIn, at: now) == nil)
        #expect(challenges.spent([0] + challenge, for: .signIn, at: now) == nil)
        // Between what is signed and the tag: it would be spent as another.
        #expect(challenges.spent(challenge.prefix(16) + [0] + challenge.suffix(16), for: .signIn, at: now) == nil)
        #expect(challenges.spent([UInt8](repeating: 0, count: 32), for: .signIn, at: now) == nil)
        #expect(challenges.spent([UInt8](repeating: 0xFF, count: 32), for: .signIn, at: now) == nil)
    }

    @Test func aChallengeOfAnotherInstanceOrDomainIsRefused() throws {
        let challenge = challenges.next(for: .signIn, at: now)
        let other = PasskeyChallenges(secrets: InstanceSecrets(InstanceSecret()), relyingParty: party)
        #expect(other.spent(challenge, for: .signIn, at: now) == nil)
        let elsewhere = PasskeyChallenges(
            secrets: secrets, relyingParty: try RelyingParty(publicURL: "https://example.com"))
        #expect(elsewhere.spent(challenge, for: .signIn, at: now) == nil)
    }

    @Test func aChallengeOutlivesARotationOfTheSecret() throws {
        let (before, after) = (InstanceSecret(), InstanceSecret())
        let old = PasskeyChallenges(secrets: InstanceSecrets(before), relyingParty: party)
        let new = PasskeyChallenges(secrets: try InstanceSecrets(after, previous: before), relyingParty: party)
        let dropped = PasskeyChallenges(secrets: InstanceSecrets(after), relyingParty: party)
        let challenge = old.next(for: .signIn, at: now)
        #expect(new.spent(challenge, for: .signIn, at: now) != nil)
        #expect(dropped.spent(challenge, for: .signIn, at: now) == nil)
        #expect(dropped.spent(new.next(for: .signIn, at: now), for: .signIn, at: now) != nil)
    }

    @Test func aClockThatIsFarOffTrapsNothing() {
        for seconds in [-1e12, -1, 0, 1, 4_294_967_000, 4_294_967_296, 1e12] {
            let date = Date(timeIntervalSince1970: seconds)
            let challenge = challenges.next(for: .signIn, at: date)
            // Until 2106.
            let isKnown = challenges.spent(challenge, for: .signIn, at: date) != nil
            #expect(isKnown == (seconds < 4_294_967_295))
        }
    }

    @Test func onlyASignInWithNothingElseAsksForVerification() {
        for purpose in Self.purposes {
            switch purpose {
            case .registration(_, let isAlone): #expect(purpose.requiresUserVerification == isAlone)
            case .signIn, .signInAs: #expect(purpose.requiresUserVerification)
            case .secondFactor, .stepUp: #expect(!purpose.requiresUserVerification)
            }
        }
        #expect(PasskeyPurpose.signIn.userHandle == nil)
        #expect(PasskeyPurpose.signInAs(userHandle: [1]).userHandle == [1])
        #expect(PasskeyPurpose.stepUp(userHandle: [1], session: [2]).userHandle == [1])
    }

    // MARK: Through both ceremonies

    @Test func anAnswerIsGoodForThePurposeOfItsChallenge() throws {
        let purpose = PasskeyPurpose.registration(userHandle: Self.handle, isAlone: false)
        let authenticator = try SoftAuthenticator(challenge: challenges.next(for: purpose, at: now))
        let answer = try PasskeyRegistrationAnswer(authenticator.json(authenticator.created()))
        func verify(_ purpose: PasskeyPurpose, at date: Date) throws -> NewPasskey {
            try RegistrationCeremony(PasskeyExpectation(party, for: purpose, challenges: challenges, at: date))
                .verify(answer)
        }
        #expect(try verify(purpose, at: now).spent.expiresAt == now + 300)
        #expect(throws: PasskeyRefusal.challenge) { try verify(purpose, at: now + 300) }
        for other in Self.purposes.dropFirst() {
            #expect(throws: PasskeyRefusal.self) { try verify(other, at: now) }
        }
    }

    @Test func aSecondFactorIsNoSignIn() throws {
        let purpose = PasskeyPurpose.secondFactor(userHandle: Self.handle, ticket: [1])
        var authenticator = try SoftAuthenticator(challenge: challenges.next(for: purpose, at: now))
        authenticator.userHandle = Self.handle
        let answer = try PasskeyAuthenticationAnswer(authenticator.json(authenticator.got()))
        func verify(_ purpose: PasskeyPurpose) throws -> PasskeyUse {
            try AuthenticationCeremony(PasskeyExpectation(party, for: purpose, challenges: challenges, at: now))
                .verify(answer, by: authenticator.stored)
        }
        #expect(try verify(purpose).isUserVerified)
        #expect(throws: PasskeyRefusal.challenge) { try verify(.signIn) }
        #expect(throws: PasskeyRefusal.challenge) { try verify(.signInAs(userHandle: Self.handle)) }
        #expect(throws: PasskeyRefusal.challenge) { try verify(.secondFactor(userHandle: Self.handle, ticket: [2])) }
        #expect(throws: PasskeyRefusal.challenge) { try verify(.stepUp(userHandle: Self.handle, session: [1])) }
    }
}
