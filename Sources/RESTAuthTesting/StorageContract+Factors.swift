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
        FactorPromises.authenticatorApps + StorageContract.requiredFactors + FactorPromises.recoveryCodes
            + FactorPromises.trustedDevices)
}

extension FactorPromises {
    static let authenticatorApps = [
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
