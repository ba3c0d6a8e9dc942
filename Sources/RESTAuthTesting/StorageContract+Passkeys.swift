import Foundation
import RESTAuth
import Testing

extension PasskeysRoom: PromisedRoom {
    static let chapters: [StorageContract.Chapter] = [.passkeys]
}

extension StorageContract.Chapter {
    /// Passkeys, their users' handles, and the challenges that they spend.
    public static let passkeys = Self("passkeys", StorageContract.passkeys)
}

extension StorageContract {
    fileprivate static let now = TestClock().now
    fileprivate static let digests: [[UInt8]] = (0..<10).map { [UInt8](repeating: $0, count: 32) }
    fileprivate static let codes = StoredRecoveryCodes(sealedKey: [1], digests: digests)
    fileprivate static let party = "example.org"

    fileprivate static let passkeys = [
        Promise("a user handle is given once, to one user") { storage async throws in
            let (one, other) = try await (newUser("a", storage), newUser("b", storage))
            #expect(try await storage.passkeys(of: one) == UserPasskeys(userHandle: nil, passkeys: []))
            #expect(try await storage.userHandle(of: one, orInsert: handle(1)) == handle(1))
            #expect(try await storage.userHandle(of: one, orInsert: handle(2)) == handle(1))
            #expect(try await storage.passkeys(of: one) == UserPasskeys(userHandle: handle(1), passkeys: []))
            await #expect(throws: (any Error).self) { try await storage.userHandle(of: other, orInsert: handle(1)) }
            await #expect(throws: (any Error).self) { try await storage.userHandle(of: other, orInsert: [1, 2]) }
            #expect(try await storage.userHandle(of: other + 1, orInsert: handle(3)) == nil)
            let handles = try await withThrowingTaskGroup(of: [UInt8]?.self) { group in
                for number in 0..<20 {
                    group.addTask { try await storage.userHandle(of: other, orInsert: handle(10 + UInt8(number))) }
                }
                return try await group.reduce(into: Set<[UInt8]?>()) { $0.insert($1) }
            }
            #expect(handles.count == 1)
        },
        Promise("a passkey comes back as it was stored, by its id and with its user") { storage async throws in
            let (one, other) = try await (newOwner("a", storage), newOwner("b", storage))
            let first = passkey("x", of: one, credential: [1, 0, 255])
            let second = Passkey(
                id: "y", userID: one, name: "'; -- ü李😀", credentialID: [2], publicKey: [0, 1, 2],
                signCount: .max, isBackupEligible: true, isBackedUp: true, isUserVerified: false,
                aaguid: (0..<16).map { $0 }, transports: ["hybrid", "internal"], isDiscoverable: nil,
                createdAt: now.addingTimeInterval(1))
            #expect(try await storage.passkey(credentialID: [1, 0, 255]) == nil)
            #expect(try await insert(second, storage) == .inserted(hasNewCodes: true))
            #expect(try await insert(first, storage) == .inserted(hasNewCodes: false))
            #expect(try await storage.passkeys(of: one).passkeys == [first, second])
            #expect(try await storage.passkeys(of: other).passkeys.isEmpty)
            let found = try #require(try await storage.passkey(credentialID: [1, 0, 255]))
            #expect(found.passkey == first && found.userHandle == handle(UInt8(one)))
            #expect(found.owner.user.id == one && found.owner.passwordHash == "h" && found.owner.passwordVersion == 1)
            #expect(try await storage.passkey(credentialID: [1, 0]) == nil)
            #expect(try await storage.factors(of: one).passkeys == 2)
            #expect(try await storage.factors(of: other).passkeys == 0)
        },
        Promise("a credential id is one user's, and stays so") { storage async throws in
            let (one, other) = try await (newOwner("a", storage), newOwner("b", storage))
            #expect(try await insert(passkey("x", of: one), storage) == .inserted(hasNewCodes: true))
            #expect(try await insert(passkey("y", of: other), storage) == .isTaken)
            #expect(try await insert(passkey("y", of: one), storage) == .isTaken)
            #expect(try await storage.passkey(credentialID: [1])?.passkey.id == "x")
            #expect(try await storage.factors(of: other).recoveryCodes == 0)
            #expect(try await count("passkey.added", storage) == 1)
            #expect(try await count("recovery_codes.made", storage) == 1)
        },
        Promise("a passkey has a user with a handle who is not disabled, and a name of 1 to 64 characters") {
            storage async throws in
            let user = try await newUser("a", storage)
            #expect(try await insert(passkey("x", of: user), storage) == .noUser)
            #expect(try await insert(passkey("x", of: user + 1), storage) == .noUser)
            _ = try await storage.userHandle(of: user, orInsert: handle(1))
            _ = try await storage.disableUser(id: user, at: now)
            #expect(try await insert(passkey("x", of: user), storage) == .noUser)
            _ = try await storage.enableUser(id: user, at: now)
            for name in ["", String(repeating: "日", count: 65)] {
                await #expect(throws: (any Error).self) {
                    try await insert(passkey("x", of: user, name: name), storage)
                }
            }
            #expect(try await storage.passkeys(of: user).passkeys.isEmpty)
            let long = passkey("x", of: user, name: String(repeating: "日", count: 64))
            #expect(try await insert(long, storage) == .inserted(hasNewCodes: true))
        },
        Promise("a user has as many passkeys as the limit says, however many come at once") { storage async throws in
            let user = try await newOwner("a", storage)
            let outcomes = try await withThrowingTaskGroup(of: PasskeyInsertion.self) { group in
                for number in 0..<20 {
                    let passkey = passkey("x\(number)", of: user, credential: [UInt8(number)])
                    group.addTask { try await insert(passkey, limit: 3, storage) }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(outcomes.filter { $0 == .limitReached }.count == 17)
            #expect(outcomes.filter { $0 == .inserted(hasNewCodes: true) }.count == 1)
            #expect(try await storage.passkeys(of: user).passkeys.count == 3)
            #expect(try await storage.factors(of: user).recoveryCodes == 10)
            #expect(try await insert(passkey("y", of: user, credential: [99]), limit: 4, storage) != .limitReached)
        },
        Promise("a challenge is spent once, also by an answer that stores nothing") { storage async throws in
            let user = try await newOwner("a", storage)
            let challenge = SpentChallenge(digest: digests[0], expiresAt: now.addingTimeInterval(300))
            #expect(try await insert(passkey("x", of: user), spending: challenge, storage) != .isTaken)
            for passkey in [passkey("y", of: user, credential: [2]), passkey("z", of: user)] {
                await expectSpent { try await insert(passkey, spending: challenge, storage) }
            }
            await expectSpent { try await use("x", spending: challenge, storage) }
            #expect(try await storage.passkeys(of: user).passkeys.map(\.id) == ["x"])
            #expect(try await storage.isChallengeSpent(digest: digests[0]))
            let other = SpentChallenge(digest: digests[1], expiresAt: now.addingTimeInterval(300))
            #expect(try await insert(passkey("y", of: user), spending: other, storage) == .isTaken)
            await expectSpent { try await insert(passkey("y", of: user, credential: [2]), spending: other, storage) }
            #expect(
                try await storage.deleteSpentChallenges(expiredBefore: now.addingTimeInterval(301), limit: 100) == 2)
        },
        Promise("of twenty who bring one answer at once, one is let in") { storage async throws in
            let user = try await newOwner("a", storage)
            #expect(try await insert(passkey("x", of: user), storage) == .inserted(hasNewCodes: true))
            let challenge = SpentChallenge(digest: digests[0], expiresAt: now.addingTimeInterval(300))
            let used = await withTaskGroup(of: Bool.self) { group in
                for _ in 0..<20 {
                    group.addTask { (try? await use("x", spending: challenge, storage)) ?? false }
                }
                return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(used == 1)
        },
        Promise("a use is noted, whether the counter went on or back, and recorded if it is to be") {
            storage async throws in
            let user = try await newOwner("a", storage)
            #expect(try await insert(passkey("x", of: user), storage) == .inserted(hasNewCodes: true))
            func stored() async throws -> Passkey? { try await storage.passkeys(of: user).passkeys.first }
            let event = Samples.event(.passkeyCounterWentBack, user: user, at: now)
            #expect(try await use("x", signCount: 9, isBackedUp: true, isUserVerified: true, storage))
            let first = try await stored()
            #expect(first?.signCount == 9 && first?.isBackedUp == true && first?.isUserVerified == true)
            #expect(first?.lastUsedAt == now)
            #expect(try await count("passkey.counter_went_back", storage) == 0)
            #expect(try await use("x", signCount: 2, recording: event, storage))
            let second = try await stored()
            // That it once verified its user is not taken back.
            #expect(second?.signCount == 2 && second?.isBackedUp == false && second?.isUserVerified == true)
            #expect(try await count("passkey.counter_went_back", storage) == 1)
            #expect(try await !use("y", recording: event, storage))
            _ = try await storage.disableUser(id: user, at: now)
            #expect(try await !use("x", signCount: 3, recording: event, storage))
            #expect(try await stored()?.signCount == 2)
            #expect(try await count("passkey.counter_went_back", storage) == 1)
        },
        Promise("a passkey is renamed by its user") { storage async throws in
            let (user, other) = try await (newOwner("a", storage), newOwner("b", storage))
            #expect(try await insert(passkey("x", of: user), storage) == .inserted(hasNewCodes: true))
            func rename(_ id: String, _ user: User.ID, _ name: String) async throws -> Bool {
                try await storage.renamePasskey(
                    id: id, of: user, to: name, recording: Samples.event(.passkeyRenamed, user: user, at: now))
            }
            #expect(try await !rename("x", other, "mine"))
            #expect(try await !rename("X", user, "mine"))
            await #expect(throws: (any Error).self) { try await rename("x", user, "") }
            #expect(try await storage.passkeys(of: user).passkeys.map(\.name) == ["phone"])
            #expect(try await rename("x", user, "key"))
            #expect(try await storage.passkeys(of: user).passkeys.map(\.name) == ["key"])
            #expect(try await count("passkey.renamed", storage) == 1)
        },
        Promise("with the last factor recovery codes and trusted devices go, and not before") { storage async throws in
            let user = try await newOwner("a", storage)
            #expect(try await insert(passkey("x", of: user), storage) == .inserted(hasNewCodes: true))
            #expect(try await insert(passkey("y", of: user, credential: [2]), storage) == .inserted(hasNewCodes: false))
            try await addApp("app", of: user, storage)
            try await trust(user, storage)
            #expect(try await delete("x", of: user, storage) == .deleted)
            #expect(try await delete("x", of: user, storage) == .notFound)
            #expect(try await delete("y", of: user + 1, storage) == .notFound)
            #expect(try await storage.factors(of: user).recoveryCodes == 10)
            // An app's end ends nothing while there is a passkey.
            let removed = Samples.event(.factorRemoved, user: user, at: now)
            #expect(try await storage.removeTOTP(id: "app", of: user, keepingLast: false, recording: removed))
            #expect(try await storage.factors(of: user).recoveryCodes == 10)
            #expect(try await storage.trustedDevices(of: user, at: now).count == 1)
            #expect(try await replaceCodes(of: user, storage))
            #expect(try await delete("y", of: user, storage) == .deleted)
            #expect(try await storage.factors(of: user) == StoredFactors(totp: [], recoveryCodes: 0))
            #expect(try await storage.trustedDevices(of: user, at: now).isEmpty)
            #expect(try await !replaceCodes(of: user, storage))
            #expect(try await count("passkey.deleted", storage) == 2)
            #expect(try await storage.passkeys(of: user).userHandle == handle(UInt8(user)))
        },
        Promise("a user without a password keeps a passkey that signs in by itself, and has no recovery codes") {
            storage async throws in
            let user = try await newOwnerWithoutPassword("a", storage)
            for (id, credential, isVerified) in [("x", 1, true), ("y", 2, false)] {
                let passkey = passkey(id, of: user, credential: [UInt8(credential)], isUserVerified: isVerified)
                #expect(try await insert(passkey, storage) == .inserted(hasNewCodes: false))
            }
            #expect(try await storage.factors(of: user).recoveryCodes == 0)
            #expect(try await delete("x", of: user, storage) == .lastWayIn)
            #expect(try await use("y", isUserVerified: true, storage))
            let outcomes = try await withThrowingTaskGroup(of: PasskeyDeletion.self) { group in
                for id in ["x", "y"] { group.addTask { try await delete(id, of: user, storage) } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(outcomes.filter { $0 == .deleted }.count == 1)
            #expect(outcomes.filter { $0 == .lastWayIn }.count == 1)
            #expect(try await storage.passkeys(of: user).passkeys.count == 1)
            #expect(try await count("passkey.deleted", storage) == 1)
        },
        Promise("a last factor that has to stay does, whether it is a passkey or an app") { storage async throws in
            let user = try await newOwner("a", storage)
            let removed = Samples.event(.factorRemoved, user: user, at: now)
            #expect(try await insert(passkey("x", of: user), storage) == .inserted(hasNewCodes: true))
            #expect(try await delete("x", of: user, keepingLast: true, storage) == .lastWayIn)
            try await addApp("app", of: user, storage)
            #expect(try await storage.removeTOTP(id: "app", of: user, keepingLast: true, recording: removed))
            #expect(try await delete("x", of: user, keepingLast: true, storage) == .lastWayIn)
            try await addApp("app", of: user, storage)
            #expect(try await delete("x", of: user, keepingLast: true, storage) == .deleted)
            let error = await #expect(throws: AuthError.self) {
                try await storage.removeTOTP(id: "app", of: user, keepingLast: true, recording: removed)
            }
            #expect(error?.code == .lastWayIn)
            #expect(try await storage.factors(of: user).confirmed.count == 1)
            #expect(try await insert(passkey("y", of: user), storage) == .inserted(hasNewCodes: false))
            #expect(try await insert(passkey("z", of: user, credential: [2]), storage) == .inserted(hasNewCodes: false))
            #expect(try await delete("y", of: user, keepingLast: true, storage) == .deleted)
            #expect(try await delete("z", of: user, keepingLast: true, storage) == .deleted)
        },
        Promise("all factors of a user are removed with the passkeys") { storage async throws in
            let (user, other) = try await (newOwner("a", storage), newOwner("b", storage))
            #expect(try await insert(passkey("x", of: user), storage) == .inserted(hasNewCodes: true))
            #expect(try await insert(passkey("y", of: other, credential: [2]), storage) == .inserted(hasNewCodes: true))
            let event = Samples.event(.factorsRemoved, user: user, at: now)
            #expect(try await storage.removeFactors(of: user, recording: event))
            #expect(try await storage.factors(of: user) == StoredFactors(totp: [], recoveryCodes: 0))
            #expect(try await storage.factors(of: other).passkeys == 1)
        },
        Promise("passkeys and handle go with their user") { storage async throws in
            let user = try await newOwner("a", storage)
            #expect(try await insert(passkey("x", of: user), storage) == .inserted(hasNewCodes: true))
            _ = try await storage.deleteUser(id: user, at: now)
            #expect(try await storage.passkeys(of: user) == UserPasskeys(userHandle: nil, passkeys: []))
            #expect(try await storage.passkey(credentialID: [1]) == nil)
            #expect(try await !use("x", storage))
        },
        Promise("all passkeys are bound to one relying party, as long as there is one") { storage async throws in
            let user = try await newOwner("a", storage)
            #expect(try await storage.boundRelyingParty() == nil)
            #expect(try await insert(passkey("x", of: user), storage) == .inserted(hasNewCodes: true))
            #expect(try await storage.boundRelyingParty() == party)
            let other = passkey("y", of: user, credential: [2])
            #expect(try await insert(other, for: "example.com", storage) == .boundTo(party))
            #expect(try await storage.passkeys(of: user).passkeys.map(\.id) == ["x"])
            #expect(try await delete("x", of: user, storage) == .deleted)
            #expect(try await storage.boundRelyingParty() == nil)
            #expect(try await insert(other, for: "example.com", storage) == .inserted(hasNewCodes: true))
            #expect(try await storage.boundRelyingParty() == "example.com")
        },
        Promise("of two relying parties that come at once the database is bound to one") { storage async throws in
            let users = [try await newOwner("a", storage), try await newOwner("b", storage)]
            let parties = [party, "example.com"]
            for _ in 0..<20 {
                // Bound to the first one, as long as it has a passkey.
                #expect(try await insert(passkey("x", of: users[0]), storage) != .boundTo(party))
                #expect(try await delete("x", of: users[0], storage) == .deleted)
                let outcomes = try await withThrowingTaskGroup(of: PasskeyInsertion.self) { group in
                    for (user, party) in zip(users, parties) {
                        let passkey = passkey(party, of: user, credential: [UInt8(user)])
                        group.addTask { try await insert(passkey, for: party, storage) }
                    }
                    return try await group.reduce(into: []) { $0.append($1) }
                }
                let bound = try #require(try await storage.boundRelyingParty())
                #expect(outcomes.filter { $0 == .boundTo(bound) }.count == 1)
                for user in users {
                    for passkey in try await storage.passkeys(of: user).passkeys {
                        #expect(passkey.id == bound)
                        #expect(try await delete(passkey.id, of: user, storage) == .deleted)
                    }
                }
            }
        },
    ]

    // MARK: - Samples

    private static func handle(_ number: UInt8) -> [UInt8] { [UInt8](repeating: number, count: 64) }

    private static func newUser(_ name: String, _ storage: any Storage) async throws -> User.ID {
        try await storage.insertUser(Username(name), passwordHash: "h", at: now).id
    }

    /// A user with a handle.
    private static func newOwner(_ name: String, _ storage: any Storage) async throws -> User.ID {
        let user = try await newUser(name, storage)
        _ = try await storage.userHandle(of: user, orInsert: handle(UInt8(user)))
        return user
    }

    private static func newOwnerWithoutPassword(_ name: String, _ storage: any Storage) async throws -> User.ID {
        let bare = ImportableUser(id: nil, name: try Username(name), passwordHash: nil, createdAt: now)
        _ = try await storage.importUsers([bare], above: 0, isTrial: false)
        let user = try #require(try await storage.credentials(canonicalUsername: name)).user.id
        _ = try await storage.userHandle(of: user, orInsert: handle(UInt8(user)))
        return user
    }

    private static func passkey(
        _ id: String, of user: User.ID, credential: [UInt8] = [1], name: String = "phone", isUserVerified: Bool = true
    ) -> Passkey {
        Passkey(
            id: id, userID: user, name: name, credentialID: credential, publicKey: Array("key \(id)\0".utf8),
            signCount: 0, isBackupEligible: true, isBackedUp: false, isUserVerified: isUserVerified,
            aaguid: [UInt8](repeating: 0, count: 16), transports: [], isDiscoverable: true, createdAt: now)
    }

    private static func insert(
        _ passkey: Passkey, for relyingParty: String = StorageContract.party, limit: Int = 20,
        spending challenge: SpentChallenge? = nil, _ storage: any Storage
    ) async throws -> PasskeyInsertion {
        try await storage.insertPasskey(
            passkey, for: relyingParty, limit: limit, spending: challenge ?? newChallenge(), recoveryCodes: codes,
            recording: Samples.event(.passkeyAdded, user: passkey.userID, at: now),
            and: Samples.event(.recoveryCodesMade, user: passkey.userID, at: now))
    }

    private static func newChallenge() -> SpentChallenge {
        SpentChallenge(
            digest: Array(UUID().uuidString.utf8), expiresAt: now.addingTimeInterval(300))
    }

    private static func use(
        _ id: Passkey.ID, signCount: UInt32 = 1, isBackedUp: Bool = false, isUserVerified: Bool = false,
        spending challenge: SpentChallenge? = nil, recording event: AuthEvent? = nil, _ storage: any Storage
    ) async throws -> Bool {
        try await storage.usePasskey(
            id: id, signCount: signCount, isBackedUp: isBackedUp, isUserVerified: isUserVerified,
            spending: challenge ?? newChallenge(), at: now, recording: event)
    }

    private static func delete(
        _ id: Passkey.ID, of user: User.ID, keepingLast: Bool = false, _ storage: any Storage
    ) async throws -> PasskeyDeletion {
        try await storage.deletePasskey(
            id: id, of: user, keepingLast: keepingLast, recording: Samples.event(.passkeyDeleted, user: user, at: now))
    }

    private static func addApp(_ id: FactorDescription.ID, of user: User.ID, _ storage: any Storage) async throws {
        let app = StoredTOTP(id: id, userID: user, name: "app", sealed: [1, 2, 3], createdAt: now)
        #expect(try await storage.insertTOTP(app, limit: 5))
        let outcome = try await storage.confirmTOTP(
            id: id, of: user, step: 1, at: now, addedAfter: now, limit: 5, recoveryCodes: codes,
            recording: Samples.event(.factorAdded, user: user, at: now),
            and: Samples.event(.recoveryCodesMade, user: user, at: now))
        #expect(outcome.isConfirmed && !outcome.hasNewCodes)
    }

    private static func trust(_ user: User.ID, _ storage: any Storage) async throws {
        let device = TrustedDevice(
            id: "d", userID: user, origin: SessionOrigin(), createdAt: now, lastUsedAt: now,
            expiresAt: now.addingTimeInterval(86400))
        let isTrusted = try await storage.insertTrustedDevice(
            device, digest: digests[0], passwordVersion: 1, limit: 20,
            recording: Samples.event(.deviceTrusted, user: user, at: now))
        #expect(isTrusted)
    }

    private static func replaceCodes(of user: User.ID, _ storage: any Storage) async throws -> Bool {
        try await storage.replaceRecoveryCodes(
            with: codes, of: user, at: now, recording: Samples.event(.recoveryCodesMade, user: user, at: now))
    }

    private static func expectSpent(_ body: () async throws -> some Any) async {
        let error = await #expect(throws: AuthError.self) { _ = try await body() }
        #expect(error?.code == .challengeInvalid)
    }

    private static func count(_ name: String, _ storage: any Storage) async throws -> Int {
        try await storage.events(after: 0, limit: 1000).filter { $0.fields.name == name }.count
    }
}
