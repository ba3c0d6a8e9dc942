import Foundation
import RESTAuth
import Testing

extension FactorsRoom: PromisedRoom {
    static let chapters: [StorageContract.Chapter] = [.factors]
}

extension StorageContract.Chapter {
    /// Second factors: authenticator apps, recovery codes, trusted devices.
    public static let factors = Self(
        "factors",
        StorageContract.authenticatorApps + StorageContract.requiredFactors + StorageContract.recoveryCodes
            + StorageContract.trustedDevices)
}

// MARK: - Authenticator apps

extension StorageContract {
    fileprivate static let now = TestClock().now
    fileprivate static let sampleKey: [UInt8] = Array("sealed key\0".utf8)
    fileprivate static let digests: [[UInt8]] = (0..<10).map { [UInt8](repeating: $0, count: 32) }

    fileprivate static let authenticatorApps = [
        Promise("an app comes back as it was stored, each user's own") { storage async throws in
            let (one, other) = try await (newUser("a", storage), newUser("b", storage))
            #expect(try await storage.factors(of: one) == StoredFactors(totp: [], recoveryCodes: 0))
            let (first, second) = (app("x", of: one, name: "'; -- ü李😀"), app("y", of: other))
            #expect(try await storage.insertTOTP(first, limit: 5))
            #expect(try await storage.insertTOTP(second, limit: 5))
            #expect(try await storage.factors(of: one).totp == [first])
            #expect(try await storage.factors(of: other).totp == [second])
            #expect(try await storage.factors(of: one).confirmed.isEmpty)
        },
        Promise("the next app takes the place of the one that was not confirmed") { storage async throws in
            let user = try await newUser("a", storage)
            for id in ["x", "y", "z"] { #expect(try await storage.insertTOTP(app(id, of: user), limit: 5)) }
            #expect(try await storage.factors(of: user).totp.map(\.id) == ["z"])
            #expect(try await confirm("z", of: user, step: 1, storage).isConfirmed)
            #expect(try await storage.insertTOTP(app("y", of: user), limit: 5))
            #expect(try await storage.factors(of: user).totp.map(\.id).sorted() == ["y", "z"])
            #expect(try await storage.factors(of: user).confirmed.map(\.id) == ["z"])
        },
        Promise("an app has a user and a name of 1 to 64 characters") { storage async throws in
            let user = try await newUser("a", storage)
            #expect(try await !storage.insertTOTP(app("x", of: user + 1), limit: 5))
            for name in ["", String(repeating: "日", count: 65)] {
                await #expect(throws: (any Error).self) {
                    try await storage.insertTOTP(app("x", of: user, name: name), limit: 5)
                }
            }
            #expect(try await storage.factors(of: user).totp.isEmpty)
            #expect(try await storage.insertTOTP(app("x", of: user, name: String(repeating: "日", count: 64)), limit: 5))
        },
        Promise("a user has as many apps as the limit says, however many begin at once") { storage async throws in
            let user = try await newUser("a", storage)
            for number in 0..<3 {
                #expect(try await storage.insertTOTP(app("x\(number)", of: user), limit: 3))
                #expect(try await confirm("x\(number)", of: user, step: 1, limit: 3, storage).isConfirmed)
            }
            #expect(try await !storage.insertTOTP(app("y", of: user), limit: 3))
            #expect(try await storage.insertTOTP(app("y", of: user), limit: 4))
            #expect(try await !confirm("y", of: user, step: 1, limit: 3, storage).isConfirmed)
            let busy = try await newUser("b", storage)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<20 {
                    group.addTask {
                        _ = try await storage.insertTOTP(app("z\(number)", of: busy), limit: 3)
                        _ = try await confirm("z\(number)", of: busy, step: 1, limit: 3, storage)
                    }
                }
                try await group.waitForAll()
            }
            let factors = try await storage.factors(of: busy)
            #expect(factors.confirmed.count <= 3 && factors.totp.count <= 4)
        },
        Promise("an app is confirmed once, by its user, in time") { storage async throws in
            let (user, other) = try await (newUser("a", storage), newUser("b", storage))
            #expect(try await storage.insertTOTP(app("x", of: user), limit: 5))
            #expect(try await !confirm("x", of: other, step: 7, storage).isConfirmed)
            #expect(try await !confirm("X", of: user, step: 7, storage).isConfirmed)
            #expect(try await !confirm("x", of: user, step: 0, storage).isConfirmed)
            #expect(try await !confirm("x", of: user, step: 7, after: now.addingTimeInterval(1), storage).isConfirmed)
            #expect(try await added(storage) == 0)
            #expect(try await confirm("x", of: user, step: 7, storage).isConfirmed)
            let stored = try #require(try await storage.factors(of: user).totp.first)
            #expect(stored.confirmedAt == now && stored.lastStep == 7 && stored.lastUsedAt == now)
            for step: Int64 in [7, 8] { #expect(try await !confirm("x", of: user, step: step, storage).isConfirmed) }
            #expect(try await storage.factors(of: user).totp == [stored])
            #expect(try await added(storage) == 1)
        },
        Promise("a code is taken once, and none older than the last") { storage async throws in
            let (user, other) = try await (newUser("a", storage), newUser("b", storage))
            #expect(try await storage.insertTOTP(app("x", of: user), limit: 5))
            #expect(try await !storage.useTOTP(id: "x", of: user, step: 9, at: now))
            #expect(try await confirm("x", of: user, step: 10, storage).isConfirmed)
            for step: Int64 in [-1, 0, 9, 10] {
                #expect(try await !storage.useTOTP(id: "x", of: user, step: step, at: now))
            }
            #expect(try await !storage.useTOTP(id: "x", of: other, step: 11, at: now))
            #expect(try await !storage.useTOTP(id: "y", of: user, step: 11, at: now))
            let later = now.addingTimeInterval(30)
            #expect(try await storage.useTOTP(id: "x", of: user, step: 11, at: later))
            #expect(try await !storage.useTOTP(id: "x", of: user, step: 11, at: later))
            // By a clock that was set back an hour, and one that goes on.
            #expect(try await !storage.useTOTP(id: "x", of: user, step: 11 - 120, at: now))
            #expect(try await storage.useTOTP(id: "x", of: user, step: 13, at: later))
            #expect(try await !storage.useTOTP(id: "x", of: user, step: 12, at: later))
            let stored = try #require(try await storage.factors(of: user).totp.first)
            #expect(stored.lastStep == 13 && stored.lastUsedAt == later && stored.confirmedAt == now)
        },
        Promise("of twenty who bring one code at once, one is let in") { storage async throws in
            let user = try await newUser("a", storage)
            #expect(try await storage.insertTOTP(app("x", of: user), limit: 5))
            #expect(try await confirm("x", of: user, step: 1, storage).isConfirmed)
            let taken = try await withThrowingTaskGroup(of: Bool.self) { group in
                for _ in 0..<20 { group.addTask { try await storage.useTOTP(id: "x", of: user, step: 2, at: now) } }
                return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(taken == 1)
        },
        Promise("an app that is removed is gone, and recorded if it was confirmed") { storage async throws in
            let (user, other) = try await (newUser("a", storage), newUser("b", storage))
            func remove(_ id: String, _ user: User.ID) async throws -> Bool {
                try await storage.removeTOTP(
                    id: id, of: user, keepingLast: false,
                    recording: Samples.event(.factorRemoved, user: user, at: now))
            }
            #expect(try await storage.insertTOTP(app("x", of: user), limit: 5))
            #expect(try await !remove("x", other))
            #expect(try await !remove("y", user))
            #expect(try await remove("x", user))
            #expect(try await count("factor.removed", storage) == 0)
            #expect(try await storage.insertTOTP(app("y", of: user), limit: 5))
            #expect(try await confirm("y", of: user, step: 1, storage).isConfirmed)
            #expect(try await remove("y", user))
            #expect(try await !remove("y", user))
            #expect(try await count("factor.removed", storage) == 1)
            #expect(try await storage.factors(of: user).totp.isEmpty)
        },
        Promise("recovery codes and trusted devices go with the last app") { storage async throws in
            let user = try await newUser("a", storage)
            for id in ["x", "y"] {
                #expect(try await storage.insertTOTP(app(id, of: user), limit: 5))
                #expect(try await confirm(id, of: user, step: 1, storage).isConfirmed)
            }
            #expect(try await trust("d", of: user, storage))
            #expect(try await storage.insertTOTP(app("z", of: user), limit: 5))
            let event = Samples.event(.factorRemoved, user: user, at: now)
            #expect(try await storage.removeTOTP(id: "x", of: user, keepingLast: true, recording: event))
            #expect(try await storage.factors(of: user).recoveryCodes == 10)
            #expect(try await storage.trustedDevices(of: user, at: now).count == 1)
            #expect(try await storage.removeTOTP(id: "y", of: user, keepingLast: false, recording: event))
            // What is not confirmed keeps nothing.
            #expect(try await storage.factors(of: user).totp.map(\.id) == ["z"])
            #expect(try await storage.factors(of: user).recoveryCodes == 0)
            #expect(try await storage.trustedDevices(of: user, at: now).isEmpty)
            #expect(try await use(digests[0], of: user, storage) == nil)
        },
        Promise("all factors of a user are removed at once, and nobody else's") { storage async throws in
            let (user, other) = try await (newUser("a", storage), newUser("b", storage))
            for owner in [user, other] {
                #expect(try await storage.insertTOTP(app("x\(owner)", of: owner), limit: 5))
                #expect(try await confirm("x\(owner)", of: owner, step: 1, storage).isConfirmed)
                #expect(try await trust("d\(owner)", of: owner, digest: owner == user ? 0 : 1, storage))
            }
            func removeAll() async throws -> Bool {
                try await storage.removeFactors(
                    of: user, recording: Samples.event(.factorsRemoved, user: user, at: now))
            }
            #expect(try await removeAll())
            #expect(try await !removeAll())
            #expect(try await count("factors.removed", storage) == 1)
            #expect(try await storage.factors(of: user) == StoredFactors(totp: [], recoveryCodes: 0))
            #expect(try await storage.trustedDevices(of: user, at: now).isEmpty)
            #expect(try await storage.factors(of: other).recoveryCodes == 10)
            #expect(try await storage.trustedDevices(of: other, at: now).count == 1)
        },
        Promise("factors go with their user") { storage async throws in
            let user = try await newUser("a", storage)
            #expect(try await storage.insertTOTP(app("x", of: user), limit: 5))
            #expect(try await confirm("x", of: user, step: 1, storage).isConfirmed)
            #expect(try await trust("d", of: user, storage))
            _ = try await storage.deleteUser(id: user, at: now)
            #expect(try await storage.factors(of: user) == StoredFactors(totp: [], recoveryCodes: 0))
            #expect(try await storage.trustedDevice(digest: digests[0], of: user, at: now) == nil)
            #expect(try await storage.sealedRecoveryKey(of: user) == nil)
        },
        Promise("an app that is not confirmed in time is swept, a confirmed one is not") { storage async throws in
            let user = try await newUser("a", storage)
            for id in ["x", "y"] {
                #expect(try await storage.insertTOTP(app(id, of: user), limit: 5))
                if id == "x" { #expect(try await confirm(id, of: user, step: 1, storage).isConfirmed) }
            }
            #expect(try await storage.deleteUnconfirmedTOTP(addedBefore: now, limit: 10) == 0)
            #expect(try await storage.deleteUnconfirmedTOTP(addedBefore: now.addingTimeInterval(1), limit: 10) == 1)
            #expect(try await storage.factors(of: user).totp.map(\.id) == ["x"])
        },
        Promise("a secret is replaced by the same one encrypted anew, while it is as it was read") {
            storage async throws in
            let user = try await newUser("a", storage)
            let mark: [UInt8] = [1, 2, 3, 4]
            let bare = [UInt8](repeating: 7, count: 48)
            let marked = mark + bare
            // As one without a mark may begin by chance.
            let alike = mark + bare.dropLast(4)
            for (number, sealed) in [bare, marked, alike].enumerated() {
                let stored = StoredTOTP(id: "x\(number)", userID: user, name: "a", sealed: sealed, createdAt: now)
                #expect(try await storage.insertTOTP(stored, limit: 5))
                #expect(try await confirm(stored.id, of: user, step: 1, storage).isConfirmed)
            }
            #expect(try await storage.sealedTOTP(notMarked: mark, after: "", limit: 10).map(\.id) == ["x0", "x2"])
            #expect(try await storage.sealedTOTP(notMarked: mark, after: "", limit: 1).map(\.id) == ["x0"])
            #expect(try await storage.sealedTOTP(notMarked: mark, after: "x0", limit: 10).map(\.id) == ["x2"])
            #expect(try await storage.sealedTOTP(notMarked: [9, 9, 9, 9], after: "", limit: 10).count == 3)
            #expect(try await !storage.replaceSealedTOTP(id: "x0", marked, with: marked))
            #expect(try await storage.replaceSealedTOTP(id: "x0", bare, with: marked))
            #expect(try await !storage.replaceSealedTOTP(id: "x0", bare, with: marked))
            #expect(try await storage.sealedTOTP(notMarked: mark, after: "", limit: 10).map(\.id) == ["x2"])
        },
    ]
}

// MARK: - Recovery codes

extension StorageContract {
    fileprivate static let recoveryCodes = [
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

// MARK: - Trusted devices

extension StorageContract {
    fileprivate static let trustedDevices = [
        Promise("a device is trusted until it expires, of its user alone") { storage async throws in
            let (user, other) = try await (userWithFactor("a", storage), userWithFactor("b", storage))
            #expect(try await trust("d", of: user, storage))
            let device = device("d", of: user)
            #expect(try await storage.trustedDevice(digest: digests[0], of: user, at: now) == device)
            #expect(try await storage.trustedDevices(of: user, at: now) == [device])
            #expect(try await storage.trustedDevice(digest: digests[1], of: user, at: now) == nil)
            #expect(try await storage.trustedDevice(digest: digests[0], of: other, at: now) == nil)
            let end = device.expiresAt
            #expect(try await storage.trustedDevice(digest: digests[0], of: user, at: end - 1) != nil)
            for date in [end, end + 1] {
                #expect(try await storage.trustedDevice(digest: digests[0], of: user, at: date) == nil)
                #expect(try await !storage.useTrustedDevice(digest: digests[0], of: user, at: date))
                #expect(try await storage.trustedDevices(of: user, at: date).isEmpty)
            }
        },
        Promise("a sign-in with a device is noted") { storage async throws in
            let user = try await userWithFactor("a", storage)
            #expect(try await trust("d", of: user, storage))
            let later = now.addingTimeInterval(60)
            #expect(try await !storage.useTrustedDevice(digest: digests[1], of: user, at: later))
            #expect(try await !storage.useTrustedDevice(digest: digests[0], of: user + 1, at: later))
            #expect(try await storage.useTrustedDevice(digest: digests[0], of: user, at: later))
            #expect(try await storage.trustedDevices(of: user, at: later).map(\.lastUsedAt) == [later])
        },
        Promise("the trust ends with the password") { storage async throws in
            let user = try await userWithFactor("a", storage)
            #expect(try await trust("d", of: user, storage))
            let ended = try await storage.setPasswordHash("other", user: user, replacing: nil, beginning: nil, at: now)
            #expect(ended != nil)
            #expect(try await storage.trustedDevice(digest: digests[0], of: user, at: now) == nil)
            #expect(try await !storage.useTrustedDevice(digest: digests[0], of: user, at: now))
            #expect(try await storage.trustedDevices(of: user, at: now).isEmpty)
            // Whoever gave the one before comes too late, and who is disabled, or gone, does not
            // come.
            #expect(try await !trust("e", of: user, digest: 1, storage))
            #expect(try await trust("e", of: user, digest: 1, version: 2, storage))
            _ = try await storage.disableUser(id: user, at: now)
            #expect(try await !trust("f", of: user, digest: 2, version: 2, storage))
            #expect(try await !trust("f", of: user + 1, digest: 2, storage))
            #expect(try await count("device.trusted", storage) == 2)
        },
        Promise("of too many devices the oldest go") { storage async throws in
            let (user, other) = try await (userWithFactor("a", storage), userWithFactor("b", storage))
            #expect(try await trust("z", of: other, digest: 9, storage))
            for number in 0..<5 {
                let at = now.addingTimeInterval(TimeInterval(number))
                #expect(try await trust("d\(number)", of: user, digest: number, at: at, limit: 3, storage))
            }
            #expect(try await storage.trustedDevices(of: user, at: now).map(\.id) == ["d4", "d3", "d2"])
            // By a clock that was set back: the new one stays.
            #expect(try await trust("d5", of: user, digest: 5, at: now.addingTimeInterval(-60), limit: 3, storage))
            #expect(try await storage.trustedDevices(of: user, at: now).map(\.id) == ["d4", "d3", "d5"])
            #expect(try await storage.trustedDevices(of: other, at: now).count == 1)
        },
        Promise("a device is forgotten, or all of a user") { storage async throws in
            let (user, other) = try await (userWithFactor("a", storage), userWithFactor("b", storage))
            for number in 0..<3 { #expect(try await trust("d\(number)", of: user, digest: number, storage)) }
            #expect(try await trust("e", of: other, digest: 9, storage))
            func forget(_ id: String?) async throws -> Bool {
                try await storage.removeTrustedDevices(
                    id: id, of: user, recording: Samples.event(.deviceForgotten, user: user, at: now))
            }
            for id in ["e", "x", ""] { #expect(try await !forget(id)) }
            #expect(try await forget("d1"))
            #expect(try await !forget("d1"))
            #expect(try await storage.trustedDevice(digest: digests[1], of: user, at: now) == nil)
            #expect(try await storage.trustedDevices(of: user, at: now).count == 2)
            #expect(try await forget(nil))
            #expect(try await !forget(nil))
            #expect(try await storage.trustedDevices(of: user, at: now).isEmpty)
            #expect(try await storage.trustedDevices(of: other, at: now).count == 1)
            #expect(try await count("device.forgotten", storage) == 2)
        },
        Promise("no two devices have one token") { storage async throws in
            let user = try await userWithFactor("a", storage)
            #expect(try await trust("d", of: user, storage))
            await #expect(throws: (any Error).self) { try await trust("e", of: user, storage) }
            #expect(try await storage.trustedDevices(of: user, at: now).map(\.id) == ["d"])
        },
        Promise("devices are swept when they have expired") { storage async throws in
            let user = try await userWithFactor("a", storage)
            for number in 0..<3 { #expect(try await trust("d\(number)", of: user, digest: number, storage)) }
            let end = device("d0", of: user).expiresAt
            #expect(try await storage.deleteTrustedDevices(expiredBefore: end, limit: 10) == 0)
            #expect(try await storage.deleteTrustedDevices(expiredBefore: end + 1, limit: 2) == 2)
            #expect(try await storage.deleteTrustedDevices(expiredBefore: end + 1, limit: 2) == 1)
        },
    ]

    // MARK: - Samples

    fileprivate static func newUser(_ name: String, _ storage: any Storage) async throws -> User.ID {
        try await storage.insertUser(Username(name), passwordHash: "h", at: now).id
    }

    fileprivate static func userWithFactor(
        _ name: String, key: [UInt8] = sampleKey, _ storage: any Storage
    ) async throws -> User.ID {
        let user = try await newUser(name, storage)
        #expect(try await storage.insertTOTP(app("app of \(user)", of: user), limit: 5))
        #expect(try await confirm("app of \(user)", of: user, step: 1, key: key, storage).hasNewCodes)
        return user
    }

    static func app(_ id: String, of user: User.ID, name: String = "phone") -> StoredTOTP {
        StoredTOTP(id: id, userID: user, name: name, sealed: Array("sealed \(id)\0".utf8), createdAt: now)
    }

    fileprivate static func confirm(
        _ id: String, of user: User.ID, step: Int64, after start: Date? = nil, limit: Int = 5,
        key: [UInt8] = sampleKey, _ storage: any Storage
    ) async throws -> (isConfirmed: Bool, hasNewCodes: Bool) {
        try await storage.confirmTOTP(
            id: id, of: user, step: step, at: now, addedAfter: start ?? now, limit: limit,
            recoveryCodes: StoredRecoveryCodes(sealedKey: key, digests: digests),
            recording: Samples.event(.factorAdded, user: user, at: now),
            and: Samples.event(.recoveryCodesMade, user: user, at: now))
    }

    fileprivate static func use(_ digest: [UInt8], of user: User.ID, _ storage: any Storage) async throws -> Int? {
        try await storage.useRecoveryCode(
            digest: digest, of: user, spending: nil, recording: Samples.event(.recoveryCodeUsed, user: user, at: now))
    }

    fileprivate static func device(_ id: String, of user: User.ID, at date: Date? = nil) -> TrustedDevice {
        let date = date ?? now
        return TrustedDevice(
            id: id, userID: user, origin: SessionOrigin(address: "192.0.2.1", userAgent: "curl/8"), createdAt: date,
            lastUsedAt: date, expiresAt: date.addingTimeInterval(30 * 86400))
    }

    fileprivate static func trust(
        _ id: String, of user: User.ID, digest: Int = 0, version: Int = 1, at date: Date? = nil, limit: Int = 20,
        _ storage: any Storage
    ) async throws -> Bool {
        try await storage.insertTrustedDevice(
            device(id, of: user, at: date), digest: digests[digest], passwordVersion: version, limit: limit,
            recording: Samples.event(.deviceTrusted, user: user, at: now))
    }

    fileprivate static func added(_ storage: any Storage) async throws -> Int {
        try await count("factor.added", storage)
    }

    fileprivate static func count(_ name: String, _ storage: any Storage) async throws -> Int {
        try await storage.events(after: 0, limit: 1000).filter { $0.fields.name == name }.count
    }
}
