import Foundation
import RESTAuth
import Testing

extension EventsRoom: PromisedRoom {
    static let chapters: [StorageContract.Chapter] = [.events]
}

extension StorageContract.Chapter {
    /// Recorded events.
    public static let events = Self("events", StorageContract.events + StorageContract.throttleEvents)
}

extension StorageContract {
    static let events = [
        Promise("an event comes back as it was recorded") { storage async throws in
            let session = Samples.session(1, at: TestClock().now).id
            let events = [
                Samples.event(
                    .usersExported, user: 7, session: session, ["b": "\"ü\u{1}", "a": "1"],
                    at: Date(timeIntervalSince1970: 1_800_000_000.123456)),
                Samples.event(.secretRotated, by: .application),
                Samples.event(.clientAdded, by: Caller(OperatorIdentity(account: "root"))),
            ]
            for event in events { try await storage.append(event) }
            let stored = try await storage.events(after: 0, limit: 10)
            #expect(stored.map(\.fields) == events.map(EventFields.init))
            #expect(stored.first?.fields.details == #"{"a":"1","b":"\"ü\u0001"}"#)
            #expect(stored.map(\.fields.actorKind) == ["anonymous", "application", "operator"])
            #expect(stored.map(\.fields.actorID) == [nil, nil, "root"])
            #expect(stored.allSatisfy { $0.number == nil && $0.seal == nil })
        },
        Promise("events are read by id, a page at a time") { storage async throws in
            for number in 1...5 { try await storage.append(Samples.event(.clientAdded, ["client_id": "\(number)"])) }
            let first = try await storage.events(after: 0, limit: 2)
            let second = try await storage.events(after: first.last?.id ?? 0, limit: 10)
            #expect(first.count == 2 && second.count == 3)
            #expect((first + second).map(\.id) == (first + second).map(\.id).sorted())
        },
        Promise("what changes nothing by its name has no row") { storage async throws in
            for name in AuthEvent.Name.allCases where !name.isDurable {
                try await storage.append(Samples.event(name))
            }
            #expect(try await storage.recorded().isEmpty)
        },
        Promise("a registration is recorded with the number of the user, one that is refused is not") {
            storage async throws in
            let now = TestClock().now
            let user = try await storage.insertUser(Username("a"), passwordHash: "h", at: now)
            _ = try? await storage.insertUser(Username("A"), passwordHash: "i", at: now)
            let permit = RegistrationPermit(challenge: SpentChallenge(digest: [1], expiresAt: now))
            let other = try await storage.insertUser(Username("b"), passwordHash: "h", at: now, using: permit)
            _ = try? await storage.insertUser(Username("c"), passwordHash: "h", at: now, using: permit)
            _ = try? await storage.insertUser(
                Username("d"), passwordHash: "h", at: now, using: RegistrationPermit(invitation: "none"))
            #expect(try await storage.recorded() == ["user.registered \(user.id)", "user.registered \(other.id)"])
        },
        Promise("another password is recorded, with the ends of the sessions and the start of the new one") {
            storage async throws in
            let now = TestClock().now
            let user = try await storage.insertUser(Username("a"), passwordHash: "h", at: now).id
            try await storage.start(1, of: user)
            try await storage.start(2, of: user)
            let before = try await storage.lastEventID()
            let event = Samples.event(.passwordChanged, user: user)
            func set(_ hash: String, replacing present: String, beginning: NewSession? = nil) async throws {
                _ = try await storage.setPasswordHash(
                    hash, user: user, replacing: present, beginning: beginning, at: now, recording: event)
            }
            try await set("i", replacing: "other")
            #expect(try await storage.recorded(after: before).isEmpty)
            try await set(
                "i", replacing: "h", beginning: NewSession(Samples.session(3, of: user, at: now), refreshDigest: nil))
            let names = [
                "password.changed \(user)", "session.ended \(user) 1 password.changed",
                "session.ended \(user) 2 password.changed", "session.started \(user) 3",
            ]
            #expect(try await storage.recorded(after: before).sorted() == names)
        },
        Promise("a hash of the same password is recorded when it is replaced, and not when another was faster") {
            storage async throws in
            let user = try await storage.insertUser(Username("a"), passwordHash: "h", at: TestClock().now).id
            let before = try await storage.lastEventID()
            let event = Samples.event(.passwordRehashed, user: user)
            for _ in 0..<2 {
                _ = try await storage.upgradePasswordHash("i", user: user, replacing: "h", recording: event)
            }
            #expect(try await storage.recorded(after: before) == ["password.rehashed \(user)"])
        },
        Promise("a role is recorded when it is new, and when it is taken away") { storage async throws in
            let now = TestClock().now
            let user = try await storage.insertUser(Username("a"), passwordHash: "h", at: now).id
            let before = try await storage.lastEventID()
            let (granted, revoked) = (Samples.event(.roleGranted, user: user), Samples.event(.roleRevoked, user: user))
            let first = try await storage.grantRole("admin", user: user, at: now, recording: granted)
            let again = try await storage.grantRole("admin", user: user, at: now, recording: granted)
            #expect(first.isNew && !again.isNew)
            _ = try? await storage.grantRole(
                String(repeating: "x", count: Role.maximumTotalLength), user: user, at: now, recording: granted)
            for isNew in [true, false] {
                let outcome = try #require(
                    await storage.revokeRole("admin", user: user, at: now, recording: revoked))
                #expect(outcome.isNew == isNew)
                #expect(outcome.revocation.isRefused && outcome.revocation.subject == .role("admin", of: user))
            }
            let never = try await storage.revokeRole("guest", user: user, at: now, recording: revoked)
            #expect(never?.isNew == false)
            _ = try await storage.grantRole("admin", user: 99, at: now, recording: granted)
            _ = try await storage.revokeRole("admin", user: 99, at: now, recording: revoked)
            #expect(try await storage.recorded(after: before) == ["role.granted \(user)", "role.revoked \(user)"])
        },
        Promise("disabling, enabling and deleting are recorded, and of nobody nothing is") { storage async throws in
            let now = TestClock().now
            let user = try await storage.insertUser(Username("a"), passwordHash: "h", at: now).id
            let before = try await storage.lastEventID()
            for id in [user, 99] {
                _ = try await storage.disableUser(id: id, at: now, recording: Samples.event(.userDisabled, user: id))
                _ = try await storage.enableUser(id: id, at: now, recording: Samples.event(.userEnabled, user: id))
                _ = try await storage.deleteUser(id: id, at: now, recording: Samples.event(.userDeleted, user: id))
                _ = try await storage.deleteUser(id: id, at: now, recording: Samples.event(.userDeleted, user: id))
            }
            let names = ["user.disabled \(user)", "user.enabled \(user)", "user.deleted \(user)"]
            #expect(try await storage.recorded(after: before) == names)
        },
        Promise("disabling a disabled user, or enabling an enabled one, writes an entry and no event") {
            storage async throws in
            let now = TestClock().now
            let user = try await storage.insertUser(Username("a"), passwordHash: "h", at: now).id
            let before = try await storage.lastEventID()
            let disabled = Samples.event(.userDisabled, user: user)
            let enabled = Samples.event(.userEnabled, user: user)
            let never = try #require(await storage.enableUser(id: user, at: now, recording: enabled))
            #expect(!never.isNew && !never.revocation.isRefused)
            for _ in 0..<2 {
                for isNew in [true, false] {
                    let outcome = try #require(await storage.disableUser(id: user, at: now, recording: disabled))
                    #expect(outcome.isNew == isNew && outcome.revocation.isRefused)
                }
                for isNew in [true, false] {
                    let outcome = try #require(await storage.enableUser(id: user, at: now, recording: enabled))
                    #expect(outcome.isNew == isNew && !outcome.revocation.isRefused)
                }
            }
            let names = ["user.disabled \(user)", "user.enabled \(user)"]
            #expect(try await storage.recorded(after: before) == names + names)
            #expect(try await storage.revocations(after: 0, limit: 20).count == 9)
        },
        Promise("when a user is disabled many times at once, one event is recorded") { storage async throws in
            let now = TestClock().now
            let user = try await storage.insertUser(Username("a"), passwordHash: "h", at: now).id
            let before = try await storage.lastEventID()
            let event = Samples.event(.userDisabled, user: user)
            let count = try await withThrowingTaskGroup(of: Bool.self) { group in
                for _ in 0..<20 {
                    group.addTask { try await storage.disableUser(id: user, at: now, recording: event)?.isNew ?? false }
                }
                return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(count == 1)
            #expect(try await storage.recorded(after: before) == ["user.disabled \(user)"])
        },
        Promise("a session is recorded when it is stored, and the end of each that has to go") { storage async throws in
            let now = TestClock().now
            let user = try await storage.insertUser(Username("a"), passwordHash: "h", at: now).id
            let before = try await storage.lastEventID()
            for number in [1, 2, 3, 3] { try await storage.start(number, of: user, limit: 2) }
            #expect(
                try await storage.recorded(after: before).sorted() == [
                    "session.ended \(user) 1 session.started", "session.started \(user) 1", "session.started \(user) 2",
                    "session.started \(user) 3",
                ])
        },
        Promise("a session that is not stored is not recorded") { storage async throws in
            let now = TestClock().now
            let user = try await storage.insertUser(Username("a"), passwordHash: "h", at: now).id
            try await storage.start(1, of: user)
            _ = try await storage.endSession(id: Samples.session(1, of: user, at: now).id, of: user, at: now)
            let before = try await storage.lastEventID()
            try await storage.start(1, of: user)
            try await storage.start(2, of: user, passwordVersion: 9)
            try await storage.start(3, of: 99)
            _ = try await storage.disableUser(id: user, at: now)
            try await storage.start(4, of: user)
            #expect(try await storage.recorded(after: before) == ["user.disabled"])
        },
        Promise("of racing starts and ends of one session as many are recorded as there were") {
            storage async throws in
            let now = TestClock().now
            let user = try await storage.insertUser(Username("a"), passwordHash: "h", at: now).id
            let before = try await storage.lastEventID()
            let id = Samples.session(1, of: user, at: now).id
            await withTaskGroup(of: Void.self) { group in
                for _ in 0..<20 {
                    group.addTask { try? await storage.start(1, of: user) }
                    group.addTask { _ = try? await storage.endSession(id: id, of: user, at: now) }
                }
            }
            _ = try await storage.endSession(id: id, of: user, at: now)
            #expect(
                try await storage.recorded(after: before) == ["session.started \(user) 1", "session.ended \(user) 1"])
        },
        Promise("the end of a session is recorded once, with whose it was, and the end of each of many") {
            storage async throws in
            let now = TestClock().now
            let user = try await storage.insertUser(Username("a"), passwordHash: "h", at: now).id
            for number in 1...4 { try await storage.start(number, of: user, refreshDigest: [UInt8(number)]) }
            let before = try await storage.lastEventID()
            let ids = (0...4).map { Samples.session($0, of: user, at: now).id }
            _ = try await storage.endSession(id: ids[1], of: 99, at: now)
            for _ in 0..<2 { _ = try await storage.endSession(id: ids[1], of: nil, at: now) }
            #expect(try await storage.recorded(after: before) == ["session.ended \(user) 1"])
            _ = try await storage.endSessions(of: user, except: ids[2], at: now)
            #expect(
                try await storage.recorded(after: before).sorted()
                    == (1...4).filter { $0 != 2 }.map {
                        "session.ended \(user) \($0)"
                    })
            for _ in 0..<2 { _ = try await storage.endSessions(notMarked: [7], limit: 9, at: now) }
            let ended = try await storage.recorded(after: before)
            #expect(ended.count == 4 && ended.last == "session.ended \(user) 2 secret.dropped")
        },
        Promise("a renewal is not recorded; the first other token for a repeated one and its reuse are") {
            storage async throws in
            let clock = TestClock()
            let now = clock.now
            let user = try await storage.insertUser(Username("a"), passwordHash: "h", at: now).id
            try await storage.start(1, of: user, refreshDigest: [0])
            let before = try await storage.lastEventID()
            func rotate(_ generation: Int, _ digest: UInt8) async throws {
                _ = try await storage.rotate(
                    RefreshRotation(
                        sessionID: Samples.session(1, of: user, at: now).id, generation: generation, digest: [digest],
                        successorDigest: { [digest + 1, UInt8($0)] }, now: clock.now, inactivityTimeout: 600,
                        timebox: 6000,
                        by: Caller(address: "192.0.2.9")))
            }
            try await rotate(0, 0)
            for _ in 0..<5 { try await rotate(0, 0) }
            #expect(try await storage.recorded(after: before).isEmpty)
            // Beyond the time in which the same token is given again.
            clock.advance(by: RefreshRotation.sharingTime + 1)
            for _ in 0..<5 { try await rotate(0, 0) }
            clock.advance(by: RefreshRotation.sharingTime + 1)
            try await rotate(0, 0)
            #expect(try await storage.recorded(after: before) == ["refresh_token.repeated \(user) 1"])
            for _ in 0..<2 {
                _ = try await storage.rotate(
                    RefreshRotation(
                        sessionID: Samples.session(1, of: user, at: now).id, generation: 1, digest: [1, 0],
                        successorDigest: { [2, UInt8($0)] }, now: clock.now, inactivityTimeout: 600, timebox: 6000,
                        by: Caller(address: "192.0.2.9")))
                clock.advance(by: RefreshRotation.sharingTime + 1)
            }
            try await rotate(0, 0)
            try await rotate(0, 0)
            #expect(
                try await storage.recorded(after: before).sorted() == [
                    "refresh_token.repeated \(user) 1", "refresh_token.repeated \(user) 1",
                    "refresh_token.reused \(user) 1", "session.ended \(user) 1 refresh_token.reused",
                ])
            #expect(try await storage.events(after: before, limit: 9).allSatisfy { $0.fields.address == "192.0.2.9" })
        },
        Promise("keys, clients and invitations are recorded when they come and go") { storage async throws in
            let now = TestClock().now
            for key in ["a", "b"] { _ = try await storage.insertSigningKey(Samples.signingKey(key, at: now)) }
            for (date, isEarlier) in [(now, false), (now - 1, true), (now - 1, false)] {
                #expect(
                    try await storage.hastenSigningKey(
                        id: "a", to: date, recording: Samples.event(.signingKeyHastened)) == isEarlier)
            }
            for _ in 0..<2 {
                _ = try await storage.deleteSigningKey(id: "a")
                try? await storage.insertClient(Client(id: "c", createdAt: now), secretDigest: [1])
            }
            for _ in 0..<2 { _ = try await storage.deleteClient(id: "c") }
            let invitation = Invitation(id: "i", note: "", createdAt: now, expiresAt: now + 60)
            for _ in 0..<2 { try? await storage.insertInvitation(invitation, codeDigest: [1]) }
            for _ in 0..<2 { _ = try await storage.deleteInvitation(id: "i") }
            #expect(
                try await storage.recorded() == [
                    "signing_key.made", "signing_key.hastened", "signing_key.revoked", "client.added", "client.deleted",
                    "invitation.created", "invitation.deleted",
                ])
        },
        Promise("an import is one event with the number of users, and none when nobody came") { storage async throws in
            let now = TestClock().now
            let event = Samples.event(.usersImported)
            func importUsers(_ names: [String], isTrial: Bool = false) async throws {
                let users = try names.map {
                    ImportableUser(id: nil, name: try Username($0), passwordHash: "h", createdAt: now)
                }
                _ = try await storage.importUsers(users, above: 0, isTrial: isTrial, recording: event)
            }
            try await importUsers(["a", "b"], isTrial: true)
            try await importUsers([])
            #expect(try await storage.recorded().isEmpty)
            #expect(try await storage.userCount() == 0)
            let names = (1...12).map { "u\($0)" }
            try await importUsers(names)
            try await importUsers(names + ["late"])
            try await importUsers(names)
            let events = try await storage.events(after: 0, limit: 9).map(\.fields)
            #expect(events.map(\.name) == ["users.imported", "users.imported"])
            #expect(events.map(\.details) == [#"{"users":"12"}"#, #"{"users":"1"}"#])
            #expect(try await storage.userCount() == 13)
        },
    ]
}

extension Storage {
    func lastEventID() async throws -> Int64 {
        try await events(after: 0, limit: 1000).last?.id ?? 0
    }

    /// Describes each event by its name, user, number of the sample session, and cause.
    func recorded(after id: Int64 = 0) async throws -> [String] {
        try await events(after: id, limit: 1000).map(\.fields).map { fields in
            let session = fields.sessionID.map { $0.description.suffix(12).drop { $0 == "0" } }.map(String.init)
            let cause = JSON(Array(fields.details.utf8))?["cause"]?.string
            return ([fields.name, fields.userID?.description, session, cause] as [String?]).compactMap(\.self)
                .joined(separator: " ")
        }
    }

    fileprivate func start(
        _ number: Int, of user: User.ID, passwordVersion: Int? = nil, refreshDigest: [UInt8]? = nil, limit: Int = 100
    ) async throws {
        let session = Samples.session(number, of: user, at: TestClock().now)
        _ = try await insertSession(
            session, passwordVersion: passwordVersion, refreshDigest: refreshDigest, limit: limit,
            recording: Samples.event(.sessionStarted, user: user, session: session.id))
    }
}
