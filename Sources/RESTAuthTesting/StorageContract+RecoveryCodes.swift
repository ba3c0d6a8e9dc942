import Foundation
import RESTAuth
import Testing

extension FactorPromises {
    static let recoveryCodes = [
        Promise("a recovery code is not spent for a sign-in that was spent before") { storage async throws in
            let user = try await userWithFactor("a", storage)
            func use(_ digest: [UInt8], for signIn: [UInt8]) async throws -> Int? {
                try await storage.useRecoveryCode(
                    digest: digest, of: user, spending: SpentChallenge(digest: signIn, expiresAt: now + 600),
                    recording: Samples.event(.recoveryCodeUsed, user: user, at: now))
            }
            // A wrong code spends nothing.
            #expect(try await use([99], for: [1]) == nil)
            #expect(try await use(digests[0], for: [1]) == 9)
            #expect(try await storage.isChallengeSpent(digest: [1]))
            let error = await #expect(throws: AuthError.self) { try await use(digests[1], for: [1]) }
            #expect(error?.code == .ticketExpired)
            #expect(try await storage.factors(of: user).recoveryCodes == 9)
            #expect(try await use(digests[1], for: [2]) == 8)
            // Of many with codes of their own for one sign-in, one takes its code.
            let codes = Array(digests[2...6])
            let taken = await withTaskGroup(of: Bool.self) { group in
                for code in codes { group.addTask { (try? await use(code, for: [3])) ?? nil != nil } }
                return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(taken == 1)
            #expect(try await storage.factors(of: user).recoveryCodes == 7)
            // Of many with one code, each for a sign-in of its own, one takes it, and the other
            // sign-ins stay.
            let others: [UInt8] = [11, 12, 13, 14]
            let winners = await withTaskGroup(of: Bool.self) { group in
                for other in others { group.addTask { (try? await use(digests[9], for: [other])) ?? nil != nil } }
                return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            var spent = 0
            for other in others where try await storage.isChallengeSpent(digest: [other]) { spent += 1 }
            #expect(winners == 1 && spent == 1)
            #expect(try await storage.factors(of: user).recoveryCodes == 6)
            #expect(try await count("recovery_code.used", storage) == 4)
        },
        Promise("recovery codes come with the first app, and again when none is left") { storage async throws in
            let user = try await newUser("a", storage)
            #expect(try await storage.insertTOTP(app("x", of: user), limit: 5))
            let first = try await confirm("x", of: user, step: 1, storage)
            #expect(first.isConfirmed && first.hasNewCodes)
            #expect(try await storage.factors(of: user).recoveryCodes == 10)
            #expect(try await storage.insertTOTP(app("y", of: user), limit: 5))
            let second = try await confirm("y", of: user, step: 1, storage)
            #expect(second.isConfirmed && !second.hasNewCodes)
            for digest in digests { #expect(try await use(digest, of: user, storage) != nil) }
            #expect(try await storage.insertTOTP(app("z", of: user), limit: 5))
            let third = try await confirm("z", of: user, step: 1, storage)
            #expect(third.isConfirmed && third.hasNewCodes)
            let none = try await confirm("z", of: user, step: 1, storage)
            #expect(!none.isConfirmed && !none.hasNewCodes)
            #expect(try await count("recovery_codes.made", storage) == 2)
        },
        Promise("a recovery code is taken once, of its user, and the rest are counted") { storage async throws in
            let (user, other) = try await (userWithFactor("a", storage), userWithFactor("b", storage))
            #expect(try await use([1], of: user, storage) == nil)
            #expect(try await use(digests[3], of: user, storage) == 9)
            #expect(try await use(digests[3], of: user, storage) == nil)
            #expect(try await use(digests[4], of: user, storage) == 8)
            #expect(try await storage.factors(of: other).recoveryCodes == 10)
            #expect(try await count("recovery_code.used", storage) == 2)
            for wrong in [[], digests[5].dropLast(), digests[5] + [0]] as [[UInt8]] {
                #expect(try await use(wrong, of: user, storage) == nil)
            }
        },
        Promise("of twenty who bring one recovery code at once, one is let in") { storage async throws in
            let user = try await userWithFactor("a", storage)
            let taken = try await withThrowingTaskGroup(of: Bool.self) { group in
                for _ in 0..<20 { group.addTask { try await use(digests[0], of: user, storage) != nil } }
                return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(taken == 1)
            #expect(try await storage.factors(of: user).recoveryCodes == 9)
            #expect(try await count("recovery_code.used", storage) == 1)
        },
        Promise("new recovery codes replace all before, of a user who has an app") { storage async throws in
            let user = try await newUser("a", storage)
            let others: [[UInt8]] = (100..<110).map { [UInt8](repeating: $0, count: 32) }
            func replace() async throws -> Bool {
                try await storage.replaceRecoveryCodes(
                    with: StoredRecoveryCodes(sealedKey: [1], digests: others), of: user, at: now,
                    recording: Samples.event(.recoveryCodesMade, user: user, at: now))
            }
            #expect(try await !replace())
            #expect(try await storage.insertTOTP(app("x", of: user), limit: 5))
            #expect(try await !replace())
            #expect(try await storage.factors(of: user).recoveryCodes == 0)
            #expect(try await confirm("x", of: user, step: 1, storage).isConfirmed)
            #expect(try await use(digests[0], of: user, storage) == 9)
            #expect(try await replace())
            #expect(try await storage.factors(of: user).recoveryCodes == 10)
            #expect(try await use(digests[1], of: user, storage) == nil)
            #expect(try await use(others[1], of: user, storage) == 9)
            #expect(try await count("recovery_codes.made", storage) == 2)
        },
        Promise("each set of recovery codes has a key of its own, which goes with the last app") {
            storage async throws in
            let (user, other) = try await (newUser("a", storage), userWithFactor("b", storage))
            func key(of user: User.ID) async throws -> [UInt8]? { try await storage.sealedRecoveryKey(of: user) }
            func replace(_ key: [UInt8]) async throws -> Bool {
                try await storage.replaceRecoveryCodes(
                    with: StoredRecoveryCodes(sealedKey: key, digests: digests), of: user, at: now,
                    recording: Samples.event(.recoveryCodesMade, user: user, at: now))
            }
            #expect(try await key(of: user) == nil)
            #expect(try await !replace([1]))
            #expect(try await storage.insertTOTP(app("x", of: user), limit: 5))
            #expect(try await !replace([1]))
            #expect(try await key(of: user) == nil)
            #expect(try await confirm("x", of: user, step: 1, key: [2, 0], storage).hasNewCodes)
            #expect(try await key(of: user) == [2, 0])
            // Codes that are left keep theirs; without any, the next app brings new ones.
            for (id, sealed) in [("y", [3]), ("z", [4])] as [(String, [UInt8])] {
                if id == "z" { for digest in digests { _ = try await use(digest, of: user, storage) } }
                #expect(try await storage.insertTOTP(app(id, of: user), limit: 5))
                #expect(try await confirm(id, of: user, step: 1, key: sealed, storage).hasNewCodes == (id == "z"))
                #expect(try await key(of: user) == (id == "z" ? [4] : [2, 0]))
            }
            #expect(try await replace([5]))
            #expect(try await key(of: user) == [5])
            for id in ["x", "y", "z"] {
                #expect(try await key(of: user) == [5])
                let event = Samples.event(.factorRemoved, user: user, at: now)
                #expect(try await storage.removeTOTP(id: id, of: user, keepingLast: false, recording: event))
            }
            #expect(try await key(of: user) == nil)
            #expect(try await key(of: other) == sampleKey)
            _ = try await storage.removeFactors(
                of: other, recording: Samples.event(.factorsRemoved, user: other, at: now))
            #expect(try await key(of: other) == nil)
        },
        Promise("a key of recovery codes is replaced by the same one encrypted anew, while it is as it was read") {
            storage async throws in
            let mark: [UInt8] = [1, 2, 3, 4]
            let bare = [UInt8](repeating: 7, count: 60)
            let marked = mark + bare
            // As one without a mark may begin by chance.
            let alike = mark + bare.dropLast(4)
            var users: [User.ID] = []
            for (name, sealed) in [("a", bare), ("b", marked), ("c", alike)] {
                users.append(try await userWithFactor(name, key: sealed, storage))
            }
            func keys(after id: User.ID = 0, limit: Int = 10, mark: [UInt8] = mark) async throws -> [User.ID] {
                try await storage.sealedRecoveryKeys(notMarked: mark, after: id, limit: limit).map(\.userID)
            }
            let one = StoredRecoveryKey(userID: users[0], sealed: bare)
            #expect(try await storage.sealedRecoveryKeys(notMarked: mark, after: 0, limit: 1) == [one])
            #expect(try await keys() == [users[0], users[2]])
            #expect(try await keys(after: users[0]) == [users[2]])
            #expect(try await keys(mark: [9, 9, 9, 9]) == users)
            #expect(try await !storage.replaceSealedRecoveryKey(of: users[0], marked, with: marked))
            #expect(try await !storage.replaceSealedRecoveryKey(of: users[2], bare, with: marked))
            #expect(try await storage.replaceSealedRecoveryKey(of: users[0], bare, with: marked))
            #expect(try await !storage.replaceSealedRecoveryKey(of: users[0], bare, with: marked))
            #expect(try await keys() == [users[2]])
            // The codes are what they were.
            #expect(try await use(digests[0], of: users[0], storage) == 9)
        },
        Promise("secrets of apps and keys of recovery codes are counted together") { storage async throws in
            #expect(try await storage.countFactorSecrets() == 0)
            let user = try await userWithFactor("a", storage)
            #expect(try await storage.countFactorSecrets() == 2)
            #expect(try await storage.insertTOTP(app("x", of: user), limit: 5))
            _ = try await userWithFactor("b", storage)
            #expect(try await storage.countFactorSecrets() == 5)
        },
    ]
}
