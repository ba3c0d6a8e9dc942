import Foundation
import RESTAuth
import RESTAuthSQLite
import RESTAuthTesting
import Support
import Testing

/// Everything is moved from each backend into each, or the target cannot be opened.
@Suite struct TransferTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    @Test(arguments: TransferPair.all)
    func everythingIsInTheTargetAsItWasInTheSource(pair: TransferPair) async throws {
        let (source, target) = try await (
            pair.source.place(directory, "source").open(), pair.target.place(directory, "target")
        )
        try await fillAwkwardly(source)
        let counts = try await Transfer(from: source, to: target.openToFill()).run()
        try await expectFilled(counts, of: source)
        let copy = try await target.open()
        try await expectEqual(source, copy)
        let users = try await copy.users(after: 0, limit: 10)
        #expect(users.map(\.username) == ["miguel", "Søren", "李雷", "Zoë"])
        #expect(users.map(\.roles) == [["admin", "über"], [], ["auditor"], []])
        #expect(users.map { $0.disabledAt != nil } == [false, true, false, false])
        #expect(try await copy.credentials(canonicalUsername: "miguel")?.passwordVersion == 2)
        #expect(try await copy.signingKeys().map(\.id) == ["Z", "a-"])
    }

    @Test(arguments: TransferPair.all)
    func nothingMovesToo(pair: TransferPair) async throws {
        let (source, target) = try await (
            pair.source.place(directory, "source").open(), pair.target.place(directory, "target")
        )
        #expect(
            try await Transfer(from: source, to: target.openToFill()).run()
                == Array(repeating: 0, count: Rooms.tables.count))
        #expect(try await target.open().insertUser(Username("first"), passwordHash: "h", at: .now).id == 1)
    }

    @Test(arguments: TransferPair.all)
    func noIdAndNoNumberIsGivenTwiceAfterAMove(pair: TransferPair) async throws {
        let (source, place) = try await (
            pair.source.place(directory, "source").open(), pair.target.place(directory, "target")
        )
        try await fillAwkwardly(source)
        // The last entries of the log have been swept, and the last users were deleted before.
        while try await source.deleteRevocations(expiredBefore: .distantFuture, limit: 100) > 0 {}
        let last = try await source.lastRevocationNumber()
        _ = try await Transfer(from: source, to: place.openToFill()).run()
        let target = try await place.open()
        #expect(try await target.lastRevocationNumber() == last)
        #expect(try await target.disableUser(id: 1, at: .now)?.number == last + 1)
        #expect(try await target.insertUser(Username("new"), passwordHash: "h", at: .now).id == 22)
        let late = ImportableUser(id: 20, name: try Username("late"), passwordHash: "h", createdAt: .now)
        #expect(try await target.importUsers([late], above: 22, isTrial: false) == [.imported(20)])
    }

    @Test(arguments: TransferPair.all)
    func aUserWithoutAPasswordMovesWithoutOne(pair: TransferPair) async throws {
        let (source, place) = try await (
            pair.source.place(directory, "source").open(), pair.target.place(directory, "target")
        )
        let bare = ImportableUser(id: nil, name: try Username("bare"), passwordHash: nil, createdAt: .now)
        _ = try await source.importUsers([bare], above: 0, isTrial: false)
        _ = try await Transfer(from: source, to: place.openToFill()).run()
        let moved = try #require(await place.open().credentials(canonicalUsername: "bare"))
        #expect(moved.passwordHash == nil)
    }

    @Test(arguments: TransferPair.all)
    func theLimitOfSessionsCountsThoseThatMoved(pair: TransferPair) async throws {
        let (source, place) = try await (
            pair.source.place(directory, "source").open(), pair.target.place(directory, "target")
        )
        try await fillAwkwardly(source)
        _ = try await Transfer(from: source, to: place.openToFill()).run()
        let session = Samples.session(99, at: TestClock().now)
        let ended = try await place.open().insertSession(session, passwordVersion: nil, refreshDigest: nil, limit: 2)
        #expect(ended?.count == 1)
    }

    // MARK: -

    /// The number of rows that `fillAwkwardly` leaves in each table, without those of events.
    static let filled = [
        "users": 4, "user_roles": 3, "clients": 3, "signing_keys": 2, "sessions": 3, "revocations": 6, "throttles": 12,
        "known_origins": 2, "totp_factors": 2, "recovery_keys": 2, "recovery_codes": 5, "trusted_devices": 2,
        "factor_grace": 2, "invitations": 2, "spent_challenges": 4, "reserved_user_ids": 2, "audit_chain": 1,
        "outbox": 2, "outbox_reader": 1, "relying_party": 1, "user_handles": 2, "passkeys": 2,
        "profiles": 2, "reserved_usernames": 2, "service_accounts": 2, "program_tokens": 2,
    ]

    func expectFilled(_ counts: [Int], of source: any Storage) async throws {
        var moved = Dictionary(uniqueKeysWithValues: zip(Rooms.tables.map(\.name), counts).filter { $0.1 > 0 })
        #expect(try await moved.removeValue(forKey: "audit_events") == source.events(after: 0, limit: 1000).count)
        #expect(moved == Self.filled)
    }

    /// A passkey with everything and one with nothing, and a user with a handle alone.
    private func fillPasskeys(_ storage: any Storage, at now: Date) async throws {
        for user in [1, 3] as [Int64] {
            _ = try await storage.userHandle(of: user, orInsert: [0, 255] + [UInt8](repeating: UInt8(user), count: 62))
        }
        for isFull in [true, false] {
            let passkey = Passkey(
                id: isFull ? "Ü b" : "a", userID: 1, name: isFull ? "日本 'x'" : "k",
                credentialID: isFull ? [0, 255] : [1],
                publicKey: isFull ? [255, 0] : [], signCount: isFull ? .max : 0, isBackupEligible: isFull,
                isBackedUp: isFull, isUserVerified: isFull, aaguid: [UInt8](repeating: isFull ? 255 : 0, count: 16),
                transports: isFull ? ["hybrid", "usb"] : [], isDiscoverable: isFull ? false : nil, createdAt: now)
            let challenge = SpentChallenge(digest: [9, isFull ? 1 : 0], expiresAt: now.addingTimeInterval(300))
            _ = try await storage.insertPasskey(
                passkey, for: "example.org", limit: 20, spending: challenge,
                recoveryCodes: StoredRecoveryCodes(sealedKey: [1], digests: []),
                recording: Samples.event(.passkeyAdded, user: 1, at: now),
                and: Samples.event(.recoveryCodesMade, user: 1, at: now))
        }
    }

    /// An account and a token with everything, and some with nothing.
    private func fillProgramTokens(_ storage: any Storage, at now: Date) async throws {
        for isFull in [true, false] {
            let account = ServiceAccount(
                id: isFull ? "ci" : "A.b", ownerID: isFull ? 1 : nil, note: isFull ? "日本 'x'" : nil, createdAt: now)
            try await storage.insertServiceAccount(account, recording: Samples.event(.serviceAccountAdded, at: now))
            let token = StoredProgramToken(
                id: Samples.session(isFull ? 100 : 200, at: now).id, holder: isFull ? .user(1) : .service("A.b"),
                name: isFull ? "日本 'x'" : "k", scopes: isFull ? ["b", "a"] : ["x"], lastFour: "aB0z",
                createdAt: now, lifetime: isFull ? 90 : nil, expiresAt: isFull ? now.addingTimeInterval(90) : nil)
            let digest: [UInt8] = isFull ? [0, 255] : [1]
            let insertion = try await storage.insertProgramToken(
                token, digest: digest, limit: 9, recording: Samples.event(.tokenCreated, at: now))
            #expect(insertion == .inserted)
            guard isFull else { continue }
            _ = try await storage.useProgramToken(
                id: token.id, at: now, unlessUsedAfter: now, replacing: digest, with: digest)
        }
    }

    /// A profile with everything and one with nothing but a name, and two names that a user had for
    /// a while.
    private func fillProfiles(_ storage: any Storage, at now: Date) async throws {
        let full = Profile(
            name: "日本 'x'", email: "Miguel@EXAMPLE.com", emailVerifiedAt: now, locale: "zh-Hant",
            zoneinfo: "Asia/Tokyo", picture: "https://example.com/ü", metadata: #"{"a":"\u0000"}"#,
            appMetadata: #"{"b":[1.5e300]}"#)
        for (user, profile) in [(1, full), (3, Profile(name: "k"))] as [(Int64, Profile)] {
            _ = try await storage.setProfile(
                profile, of: user, replacing: 0, endingSessions: false, at: now,
                recording: [Samples.event(.profileChanged, user: user, at: now)])
        }
        for (present, name) in [("miguel", "a"), ("a", "b"), ("b", "miguel")] {
            let change = try await storage.renameUser(
                1, from: Username(present), to: Username(name), reservingUntil: now.addingTimeInterval(90.000_000_3),
                limit: 9, at: now, recording: Samples.event(.usernameChanged, user: 1, at: now))
            #expect(change == .changed)
        }
    }

    /// Stores four of six users, of whom the last two were deleted, and in every other table rows
    /// that are hard to transfer.
    func fillAwkwardly(_ storage: any Storage) async throws {
        let clock = TestClock(Date(timeIntervalSince1970: 1_800_000_000.123_456_7))
        for name in ["miguel", "Søren", "李雷", "Zoë", "last", "very-last"] {
            let challenge = SpentChallenge(
                digest: [0, 255] + name.utf8, expiresAt: clock.now.addingTimeInterval(300.000_000_3))
            _ = try await storage.insertUser(
                Username(name), passwordHash: Samples.passwordHash + name, at: clock.now,
                using: RegistrationPermit(challenge: name.hasSuffix("last") ? challenge : nil))
            clock.advance(by: 0.000_001_4)
        }
        _ = try await storage.setPasswordHash("another", user: 1, replacing: nil, beginning: nil, at: clock.now)
        for (role, user) in [("über", 1), ("admin", 1), ("auditor", 3), ("guest", 3)] as [(String, Int64)] {
            _ = try await storage.grantRole(role, user: user, at: clock.now)
        }
        for (number, user) in [(1, 1), (2, 1), (3, 3), (4, 4)] as [(Int, Int64)] {
            let sample = Samples.session(number, of: user, at: clock.now, isRenewable: number.isMultiple(of: 2))
            let session = Session(
                id: sample.id, userID: user, createdAt: sample.createdAt,
                authenticatedAt: clock.now.addingTimeInterval(0.3), methods: number == 1 ? [] : [.password, .risk],
                clientID: number == 2 ? "gateway" : nil, scope: number == 2 ? ["write", "read"] : nil,
                lastUsedAt: sample.lastUsedAt,
                expiresAt: sample.expiresAt.addingTimeInterval(0.1),
                origin: number == 1 ? SessionOrigin() : sample.origin,
                isRenewable: sample.isRenewable)
            let digest: [UInt8]? = session.isRenewable ? [0, 255, UInt8(number)] : nil
            _ = try await storage.insertSession(session, passwordVersion: nil, refreshDigest: digest, limit: 10)
        }
        // Renewed once, and once more too late to get the same successor.
        for seconds in [0, 61.000_000_4] {
            _ = try await storage.rotate(
                RefreshRotation(
                    sessionID: Samples.session(2, at: clock.now).id, generation: 0, digest: [0, 255, 2],
                    successorDigest: { [0, 255, UInt8($0)] }, now: clock.now.addingTimeInterval(seconds),
                    inactivityTimeout: 86400, timebox: 86400 * 30))
        }
        // Six entries: for a role, a user who is refused twice, a session, and two deleted users.
        _ = try await storage.revokeRole("guest", user: 3, at: clock.now)
        _ = try await storage.disableUser(id: 2, at: clock.now)
        _ = try await storage.endSession(id: Samples.session(4, at: clock.now).id, of: nil, at: clock.now)
        _ = try await storage.disableUser(id: 2, at: clock.now)
        for id in [5, 6] as [Int64] { _ = try await storage.deleteUser(id: id, at: clock.now) }
        try await fillPasskeys(storage, at: clock.now)
        try await fillProgramTokens(storage, at: clock.now)
        try await fillProfiles(storage, at: clock.now)
        let limit = ThrottleLimit(
            allowance: 2, delay: .doubling(from: 1.5, to: 9), forgiveness: nil, end: 4, memory: 3600)
        let home = try #require(ClientNetwork("192.0.2.1"))
        let subjects: [ThrottleSubject] = try [
            .account(Username("李雷")), .account(Username("Zoë")), .account(Username("john smith"), from: home),
            .account(Username("john"), from: home), .confirmation(by: 10), .confirmation(by: 9), .hashing,
            .network(home), .registrations(from: home), .device(of: 9), .oneTimeCode(of: 9), .recoveryCode(of: 9),
        ]
        for (number, subject) in subjects.enumerated() {
            let other: UInt32? = number == 0 ? .max : nil
            _ = try await storage.countFailure(number + 1, of: subject, other: other, limit: limit, at: clock.now)
        }
        for (address, user) in [("2001:db8::1", 1), ("192.0.2.1", 3), ("192.0.2.1", 5)] as [(String, Int64)] {
            try await storage.rememberOrigin(#require(ClientNetwork(address)), user: user, at: clock.now, limit: 20)
        }
        for (number, id) in ["gateway", "Gateway", "_"].enumerated() {
            try await storage.insertClient(
                Client(id: id, createdAt: clock.now), secretDigest: [UInt8](repeating: 0, count: number + 1))
        }
        for (number, note) in ["", "für 李雷"].enumerated() {
            let end = clock.now.addingTimeInterval(0.000_000_6)
            try await storage.insertInvitation(
                Invitation(id: ["b", "A"][number], note: note, createdAt: clock.now, expiresAt: end),
                codeDigest: [UInt8(number), 0, 255])
        }
        _ = try await storage.insertSigningKey(Samples.signingKey("Z", at: clock.now))
        clock.advance(by: 1)
        _ = try await storage.insertSigningKey(Samples.signingKey("a-", at: clock.now, follows: "Z"))
        try await storage.reserveUserIDs([1, 21, 20])
        try await addFactors(to: storage, at: clock.now)
        try await storage.openOutbox()
        for rows in [1, 2] {
            try await storage.append(AuthEvent.databaseMigrated(from: "李雷", rows: rows).by(.application, at: clock.now))
        }
        let event = try #require(try await storage.unsealedEvents(limit: 1).first)
        let chain = AuditChain(
            head: AuditLink(number: 1, digest: [0, 255]), anchor: AuditLink(number: 0, digest: []), sealedAt: clock.now,
            seal: [255, 0])
        #expect(try await storage.seal([EventSeal(id: event.id, seal: [0])], replacing: nil, with: chain))
        _ = try await storage.takeFromOutbox(limit: 1, until: clock.now, at: clock.now)
    }

    /// Gives two users an app each, with recovery codes and a trusted device.
    private func addFactors(to storage: any Storage, at now: Date) async throws {
        for (user, id, name) in [(1, "b", "Telephon, 電話"), (3, "A", "x")] as [(User.ID, String, String)] {
            let event = Samples.event(.factorAdded, user: user, at: now)
            let app = StoredTOTP(id: id, userID: user, name: name, sealed: [0, 255, UInt8(user)], createdAt: now)
            #expect(try await storage.insertTOTP(app, limit: 5))
            let confirmed = try await storage.confirmTOTP(
                id: id, of: user, step: Int64(UInt32.max) + user, at: now.addingTimeInterval(0.000_000_4),
                addedAfter: now.addingTimeInterval(-1), limit: 5,
                recoveryCodes: StoredRecoveryCodes(
                    sealedKey: [255, 0, UInt8(user)], digests: (0..<UInt8(user + 1)).map { [$0, 0, 255] }),
                recording: event, and: event)
            #expect(confirmed == (true, true))
            let device = TrustedDevice(
                id: id, userID: user, origin: user == 1 ? SessionOrigin() : Samples.session(1, at: now).origin,
                createdAt: now, lastUsedAt: now, expiresAt: now.addingTimeInterval(86400.000_000_7))
            #expect(
                try await storage.insertTrustedDevice(
                    device, digest: [0, UInt8(user)], passwordVersion: user == 1 ? 2 : 1, limit: 5, recording: event))
            _ = try await storage.beginFactorGrace(of: user, until: now.addingTimeInterval(0.000_000_9))
        }
        _ = try await storage.useRecoveryCode(
            digest: [1, 0, 255], of: 1, spending: nil,
            recording: Samples.event(.recoveryCodeUsed, user: 1, at: now))
    }

    /// Stops a move, a row at a time, after the first row of that table.
    func interrupt(from source: any TransferableStorage, to place: TransferPlace, at table: String) async throws {
        let target = try await place.openToFill()
        let move = Task {
            try await Transfer(from: source, to: target, batchSize: 1) { progress in
                if progress.table == table { withUnsafeCurrentTask { $0?.cancel() } }
            }.run()
        }
        await #expect(throws: CancellationError.self) { try await move.value }
    }

    func expectEqual(_ source: any TransferableStorage, _ target: any TransferableStorage) async throws {
        for table in Rooms.tables {
            let rows = try await source.rows(of: table, after: nil, limit: 1000)
            var copied = try await target.rows(of: table, after: nil, limit: 1000)
            // The event of the move itself.
            if ["audit_events", "outbox"].contains(table.name) { copied.removeLast() }
            #expect(copied == rows, "\(table.name)")
        }
        let (before, after) = (try await source.counters(), try await target.counters())
        #expect(before.lastUserID == after.lastUserID && before.lastRevocationNumber == after.lastRevocationNumber)
        #expect(before.lastEventID < after.lastEventID)
    }
}

/// A row that may be in a database that should be empty.
enum Resident: CaseIterable {
    case user
    case client
    case signingKey

    func moveIn(_ storage: any Storage) async throws {
        switch self {
        case .user: _ = try await storage.insertUser(Username("resident"), passwordHash: "h", at: .now)
        case .client: try await storage.insertClient(Client(id: "resident", createdAt: .now), secretDigest: [1])
        case .signingKey: _ = try await storage.insertSigningKey(Samples.signingKey(at: .now))
        }
    }
}

/// A change by a server that should have been stopped.
enum SourceChange: CaseIterable {
    case password
    case deletion
    case disabling
    case nameOfAnotherUser
    case signOut

    func make(_ storage: any Storage) async throws {
        switch self {
        case .password:
            _ = try await storage.setPasswordHash("yet another", user: 1, replacing: nil, beginning: nil, at: .now)
        case .deletion: _ = try await storage.deleteUser(id: 4, at: .now)
        case .disabling: _ = try await storage.disableUser(id: 1, at: .now)
        case .nameOfAnotherUser:
            // The same name with another id: the target has that name already.
            _ = try await storage.deleteUser(id: 4, at: .now)
            _ = try await storage.insertUser(Username("Zoë"), passwordHash: "h", at: .now)
        case .signOut: _ = try await storage.endSession(id: Samples.session(1, at: .now).id, of: nil, at: .now)
        }
    }
}
