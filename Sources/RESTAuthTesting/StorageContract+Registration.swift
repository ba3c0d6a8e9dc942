import Foundation
import RESTAuth
import Testing

extension RegistrationRoom: PromisedRoom {
    static let chapters: [StorageContract.Chapter] = [.registration]
}

extension StorageContract.Chapter {
    /// Invitations, challenges, and the users who register with them.
    public static let registration = Self("registration", StorageContract.registration)
}

extension StorageContract {
    /// Makes an invitation that is valid for an hour.
    private static func invitation(_ id: String = "first", at now: Date) -> Invitation {
        Invitation(id: id, note: "for \(id)", createdAt: now, expiresAt: now.addingTimeInterval(3600))
    }

    private static func challenge(_ number: UInt8 = 1, at now: Date) -> SpentChallenge {
        SpentChallenge(digest: [0, 255, number], expiresAt: now.addingTimeInterval(300))
    }

    /// Counts how many of twenty concurrent registrations with `permit`, under different names,
    /// succeed; all others must throw `code`.
    private static func countOfTwenty(
        in storage: any Storage, using permit: RegistrationPermit, at now: Date, refusedBy code: AuthError.Code
    ) async throws -> Int {
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for number in 0..<20 {
                group.addTask {
                    do {
                        _ = try await storage.insertUser(
                            Username("user-\(number)"), passwordHash: "h\(number)", at: now, using: permit)
                        return true
                    } catch {
                        guard let error = error as? AuthError, error.code == code else { throw error }
                        return false
                    }
                }
            }
            return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
    }

    static let registration = [
        Promise("an invitation is found by its digest, and listed in the order of creation") { storage async throws in
            let clock = TestClock()
            let first = invitation("z", at: clock.now)
            try await storage.insertInvitation(first, codeDigest: [1, 2])
            clock.advance(by: 1)
            let second = invitation("a", at: clock.now)
            try await storage.insertInvitation(second, codeDigest: [1, 3])
            #expect(try await storage.invitation(codeDigest: [1, 2]) == first)
            #expect(try await storage.invitation(codeDigest: [1, 3]) == second)
            for digest in [[], [1], [1, 2, 3]] as [[UInt8]] {
                #expect(try await storage.invitation(codeDigest: digest) == nil)
            }
            #expect(try await storage.invitations() == [first, second])
            #expect(try await storage.deleteInvitation(id: "z"))
            #expect(try await !storage.deleteInvitation(id: "z"))
            #expect(try await storage.invitation(codeDigest: [1, 2]) == nil)
            #expect(try await storage.invitations() == [second])
        },
        Promise("an invitation is used up with the user who comes by it, and a challenge is spent") {
            storage async throws in
            let now = TestClock().now
            try await storage.insertInvitation(invitation(at: now), codeDigest: [1])
            try await storage.insertInvitation(invitation("other", at: now), codeDigest: [2])
            let permit = RegistrationPermit(invitation: "first", challenge: challenge(at: now))
            #expect(try await !storage.isChallengeSpent(digest: [0, 255, 1]))
            let user = try await storage.insertUser(Username("Miguel"), passwordHash: "h", at: now, using: permit)
            #expect(user == User(id: 1, username: "Miguel", createdAt: now, disabledAt: nil))
            #expect(try await storage.credentials(canonicalUsername: "miguel")?.user == user)
            #expect(try await storage.isChallengeSpent(digest: [0, 255, 1]))
            #expect(try await !storage.isChallengeSpent(digest: [0, 255]))
            #expect(try await storage.invitations().map(\.id) == ["other"])
        },
        Promise("without a permit a user comes and nothing goes") { storage async throws in
            let now = TestClock().now
            try await storage.insertInvitation(invitation(at: now), codeDigest: [1])
            _ = try await storage.insertUser(
                Username("miguel"), passwordHash: "h", at: now, using: RegistrationPermit())
            #expect(try await storage.users(after: 0, limit: 10).count == 1)
            #expect(try await storage.invitations().count == 1)
        },
        Promise("an invitation that is unknown, used or expired brings no user") { storage async throws in
            let clock = TestClock()
            for (number, id) in ["used", "expired"].enumerated() {
                try await storage.insertInvitation(invitation(id, at: clock.now), codeDigest: [UInt8(number)])
            }
            _ = try await storage.insertUser(
                Username("first"), passwordHash: "first", at: clock.now, using: RegistrationPermit(invitation: "used"))
            clock.advance(by: 3600)
            for id in ["unknown", "used", "expired", ""] {
                let permit = RegistrationPermit(invitation: id, challenge: challenge(at: clock.now))
                let error = await #expect(throws: AuthError.self) {
                    try await storage.insertUser(
                        Username("second"), passwordHash: "second", at: clock.now, using: permit)
                }
                #expect(error?.code == .invitationInvalid)
            }
            #expect(try await storage.users(after: 0, limit: 10).count == 1)
            #expect(try await !storage.isChallengeSpent(digest: challenge(at: clock.now).digest))
        },
        Promise("a challenge that was spent brings no user, and the invitation stays") { storage async throws in
            let now = TestClock().now
            try await storage.insertInvitation(invitation(at: now), codeDigest: [1])
            _ = try await storage.insertUser(
                Username("first"), passwordHash: "first", at: now,
                using: RegistrationPermit(challenge: challenge(at: now)))
            for invitation in ["first", nil] {
                let permit = RegistrationPermit(invitation: invitation, challenge: challenge(at: now))
                let error = await #expect(throws: AuthError.self) {
                    try await storage.insertUser(Username("second"), passwordHash: "second", at: now, using: permit)
                }
                #expect(error?.code == .challengeInvalid)
            }
            #expect(try await storage.users(after: 0, limit: 10).map(\.username) == ["first"])
            #expect(try await storage.invitations().count == 1)
            let permit = RegistrationPermit(invitation: "first", challenge: challenge(2, at: now))
            _ = try await storage.insertUser(Username("second"), passwordHash: "second", at: now, using: permit)
            #expect(try await storage.invitations().isEmpty)
        },
        Promise("a name that is taken uses nothing up, whatever else is wrong") { storage async throws in
            let now = TestClock().now
            _ = try await storage.insertUser(Username("miguel"), passwordHash: "first", at: now)
            try await storage.insertInvitation(invitation(at: now), codeDigest: [1])
            for invitation in ["first", "unknown"] {
                let permit = RegistrationPermit(invitation: invitation, challenge: challenge(at: now))
                let error = await #expect(throws: AuthError.self) {
                    try await storage.insertUser(Username("MIGUEL"), passwordHash: "second", at: now, using: permit)
                }
                #expect(error?.code == .userAlreadyExists)
            }
            #expect(try await storage.credentials(canonicalUsername: "miguel")?.passwordHash == "first")
            #expect(try await storage.invitations().count == 1)
            #expect(try await !storage.isChallengeSpent(digest: challenge(at: now).digest))
        },
        Promise("of twenty who use one invitation at once, one registers") { storage async throws in
            let now = TestClock().now
            try await storage.insertInvitation(invitation(at: now), codeDigest: [1])
            let permit = RegistrationPermit(invitation: "first")
            #expect(try await countOfTwenty(in: storage, using: permit, at: now, refusedBy: .invitationInvalid) == 1)
            #expect(try await storage.users(after: 0, limit: 30).count == 1)
            #expect(try await storage.invitations().isEmpty)
        },
        Promise("of twenty who spend one challenge at once, one registers") { storage async throws in
            let now = TestClock().now
            let permit = RegistrationPermit(challenge: challenge(at: now))
            #expect(try await countOfTwenty(in: storage, using: permit, at: now, refusedBy: .challengeInvalid) == 1)
            #expect(try await storage.users(after: 0, limit: 30).count == 1)
        },
        Promise("of twenty who want one name at once, each with an invitation, one uses it up") {
            storage async throws in
            let now = TestClock().now
            for number in 0..<20 {
                try await storage.insertInvitation(invitation("\(number)", at: now), codeDigest: [UInt8(number)])
            }
            let succeeded = try await withThrowingTaskGroup(of: Bool.self) { group in
                for number in 0..<20 {
                    group.addTask {
                        let permit = RegistrationPermit(
                            invitation: "\(number)", challenge: challenge(UInt8(number), at: now))
                        do {
                            _ = try await storage.insertUser(
                                Username("race"), passwordHash: "h\(number)", at: now, using: permit)
                            return true
                        } catch {
                            guard let error = error as? AuthError, error.code == .userAlreadyExists else { throw error }
                            return false
                        }
                    }
                }
                return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(succeeded == 1)
            #expect(try await storage.invitations().count == 19)
            var spent = 0
            for number in 0..<20
            where try await storage.isChallengeSpent(digest: challenge(UInt8(number), at: now).digest) { spent += 1 }
            #expect(spent == 1)
        },
        Promise("what has expired is deleted, so many at a time, and nothing else") { storage async throws in
            let clock = TestClock()
            for number in 0..<3 as Range<UInt8> {
                try await storage.insertInvitation(invitation("old \(number)", at: clock.now), codeDigest: [number])
                let permit = RegistrationPermit(challenge: challenge(number, at: clock.now))
                _ = try await storage.insertUser(
                    Username("old-\(number)"), passwordHash: "h", at: clock.now, using: permit)
            }
            clock.advance(by: 1)
            try await storage.insertInvitation(invitation("new", at: clock.now), codeDigest: [9])
            let permit = RegistrationPermit(challenge: challenge(9, at: clock.now))
            _ = try await storage.insertUser(Username("new"), passwordHash: "h", at: clock.now, using: permit)
            clock.advance(by: 300)
            #expect(try await storage.deleteSpentChallenges(expiredBefore: clock.now, limit: 2) == 2)
            #expect(try await storage.deleteSpentChallenges(expiredBefore: clock.now, limit: 2) == 1)
            #expect(try await storage.deleteSpentChallenges(expiredBefore: clock.now, limit: 2) == 0)
            #expect(try await storage.isChallengeSpent(digest: [0, 255, 9]))
            #expect(try await storage.deleteInvitations(expiredBefore: clock.now, limit: 10) == 0)
            clock.advance(by: 3300)
            #expect(try await storage.deleteInvitations(expiredBefore: clock.now, limit: 2) == 2)
            #expect(try await storage.deleteInvitations(expiredBefore: clock.now, limit: 2) == 1)
            #expect(try await storage.deleteInvitations(expiredBefore: clock.now, limit: 2) == 0)
            #expect(try await storage.invitations().map(\.id) == ["new"])
        },
    ]
}
