import Foundation
import RESTAuth
import Testing

extension ProfilesRoom: PromisedRoom {
    static let chapters: [StorageContract.Chapter] = [.profiles, .usernameChanges]
}

extension StorageContract.Chapter {
    /// Profiles, and mail addresses that one user has verified.
    public static let profiles = Self("profiles", StorageContract.profiles)
    /// Other names for users, and names that they gave up.
    public static let usernameChanges = Self("username changes", StorageContract.usernameChanges)
}

extension StorageContract {
    fileprivate static let now = TestClock().now
    private static let later = now.addingTimeInterval(90 * 86400)

    fileprivate static let profiles = [
        Promise("a profile comes back as it was stored, and is empty before") { storage async throws in
            let (one, other) = try await (newUser("a", storage), newUser("b", storage))
            #expect(try await storage.profile(of: one.id) == StoredProfile(user: one, profile: Profile(), version: 0))
            #expect(try await storage.profile(of: 99) == nil)
            #expect(try await storage.appMetadata(of: one.id) == nil)
            let first = Profile(
                name: "'; -- ü李😀", email: "Susan@EXAMPLE.com", emailVerifiedAt: now, locale: "de-AT",
                zoneinfo: "Europe/Vienna", picture: "https://example.com/a.png", metadata: #"{"a":"\u0000"}"#,
                appMetadata: #"{"plan":"pro"}"#)
            #expect(try await set(first, of: one.id, storage) == .stored([]))
            let stored = try #require(try await storage.profile(of: one.id))
            #expect(stored.profile == first && stored.user == one && stored.version != 0)
            #expect(try await storage.appMetadata(of: one.id) == #"{"plan":"pro"}"#)
            #expect(try await set(Profile(), of: one.id, replacing: stored.version, storage) == .stored([]))
            #expect(try await storage.profile(of: one.id)?.profile == Profile())
            #expect(try await storage.profile(of: other.id)?.version == 0)
            #expect(try await count("profile.changed", storage) == 2)
        },
        Promise("a profile is replaced only if nobody has changed it meanwhile") { storage async throws in
            let user = try await newUser("a", storage)
            #expect(try await set(Profile(name: "x"), of: user.id, replacing: 1, storage) == .changedMeanwhile)
            #expect(try await set(Profile(name: "x"), of: 99, storage) == .noUser)
            #expect(try await set(Profile(name: "x"), of: 99, replacing: 1, storage) == .noUser)
            #expect(try await set(Profile(name: "x"), of: user.id, storage) == .stored([]))
            #expect(try await set(Profile(name: "y"), of: user.id, storage) == .changedMeanwhile)
            #expect(try await storage.profile(of: user.id)?.profile.name == "x")
            let version = try #require(try await storage.profile(of: user.id)?.version)
            let outcomes = try await withThrowingTaskGroup(of: ProfileChange.self) { group in
                for number in 0..<10 {
                    group.addTask {
                        try await set(Profile(name: "\(number)"), of: user.id, replacing: version, storage)
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(outcomes.count { $0 == .stored([]) } == 1)
            #expect(outcomes.count { $0 == .changedMeanwhile } == 9)
            #expect(try await count("profile.changed", storage) == 2)
        },
        Promise("sessions end with the change, or not at all") { storage async throws in
            let (one, other) = try await (newUser("a", storage), newUser("b", storage))
            for (number, user) in [(0, one), (1, one), (2, other)] {
                let session = Samples.session(number, of: user.id, at: now)
                _ = try await storage.insertSession(session, passwordVersion: nil, refreshDigest: nil, limit: 10)
            }
            let refused = try await storage.setProfile(
                Profile(name: "x"), of: one.id, replacing: 7, endingSessions: true, at: now,
                recording: [Samples.event(.profileChanged, user: one.id, at: now)])
            #expect(refused == .changedMeanwhile)
            #expect(try await storage.sessions(of: one.id, before: nil, limit: 10, at: now).count == 2)
            let change = try await storage.setProfile(
                Profile(name: "x"), of: one.id, replacing: 0, endingSessions: true, at: now,
                recording: [Samples.event(.profileChanged, user: one.id, at: now)])
            guard case .stored(let ended) = change else {
                Issue.record("\(change)")
                return
            }
            #expect(
                Set(ended.map(\.subject))
                    == Set((0...1).map { .session(Samples.session($0, of: one.id, at: now).id) }))
            #expect(try await storage.sessions(of: one.id, before: nil, limit: 10, at: now).isEmpty)
            #expect(try await storage.sessions(of: other.id, before: nil, limit: 10, at: now).count == 1)
            #expect(try await storage.revocations(after: 0, limit: 10).count == 2)
            #expect(try await count("session.ended", storage) == 2)
        },
        Promise("an address is claimed by many and verified by one") { storage async throws in
            let users = try await [newUser("a", storage), newUser("b", storage), newUser("c", storage)]
            for user in users {
                #expect(try await set(Profile(email: "x@Example.com"), of: user.id, storage) == .stored([]))
            }
            #expect(try await storage.username(verifiedEmail: "x@example.com") == nil)
            let verified = Profile(email: "x@example.COM", emailVerifiedAt: now)
            let outcomes = await withTaskGroup(of: Bool.self) { group in
                for user in users {
                    group.addTask {
                        do {
                            let version = try await storage.profile(of: user.id)?.version ?? 0
                            return try await set(verified, of: user.id, replacing: version, storage) == .stored([])
                        } catch {
                            #expect((error as? AuthError)?.code == .emailTaken)
                            return false
                        }
                    }
                }
                return await group.reduce(into: []) { $0.append($1) }
            }
            #expect(outcomes.count(where: \.self) == 1)
            let owner = try #require(try await storage.username(verifiedEmail: "x@example.com"))
            let id = try #require(users.first { $0.username == owner }?.id)
            #expect(try await storage.profile(of: id)?.profile == verified)
            #expect(try await storage.username(verifiedEmail: "X@example.com") == nil)
            // It is free again with the user.
            _ = try await storage.deleteUser(id: id, at: now)
            #expect(try await storage.username(verifiedEmail: "x@example.com") == nil)
            let other = try #require(users.first { $0.id != id })
            let version = try #require(try await storage.profile(of: other.id)?.version)
            #expect(try await set(verified, of: other.id, replacing: version, storage) == .stored([]))
        },
        Promise("what no profile can be is refused by the storage, too") { storage async throws in
            let user = try await newUser("a", storage)
            let long = "{\"a\":\"" + String(repeating: "x", count: 4096) + "\"}"
            for profile in [Profile(metadata: long), Profile(appMetadata: long), Profile(emailVerifiedAt: now)] {
                await #expect(throws: (any Error).self) { try await set(profile, of: user.id, storage) }
            }
            #expect(try await storage.profile(of: user.id)?.version == 0)
        },
        Promise("profiles are imported and exported whole, and a taken address leaves one user out") {
            storage async throws in
            let profile = Profile(
                name: "Susan", email: "susan@example.com", emailVerifiedAt: now, locale: "en", metadata: #"{"a":1}"#,
                appMetadata: #"{"plan":"pro"}"#)
            let users = [
                try importable("a", profile), try importable("b", Profile(email: "susan@example.com")),
                try importable("c"),
            ]
            let trial = try await storage.importUsers(users, above: 0, isTrial: true)
            #expect(trial.count { if case .imported = $0 { true } else { false } } == 3)
            #expect(try await storage.importUsers(users, above: 0, isTrial: false).importedCount == 3)
            let exported = try await storage.exportUsers(after: 0, limit: 10)
            #expect(exported.map(\.profile) == users.map(\.profile))
            let late = [try importable("d", Profile(email: "susan@EXAMPLE.com", emailVerifiedAt: now))]
            for isTrial in [true, false] {
                #expect(try await storage.importUsers(late, above: 0, isTrial: isTrial) == [.emailTaken])
            }
            #expect(try await storage.credentials(canonicalUsername: "d") == nil)
        },
    ]

    fileprivate static let usernameChanges = [
        Promise("a user who gets another name keeps all else, and the earlier name is kept") { storage async throws in
            let (user, name) = (try await newUser("miguel", storage), try Username("Susan"))
            #expect(try await rename(user.id, "miguel", to: "Susan", storage) == .changed)
            let stored = try #require(try await storage.credentials(canonicalUsername: name.canonical))
            #expect(stored.user.id == user.id && stored.user.username == "Susan" && stored.passwordHash == "h")
            #expect(try await storage.credentials(canonicalUsername: "miguel") == nil)
            #expect(try await count("username.changed", storage) == 1)
            await expect(.nameReserved) { try await newUser("miguel", storage) }
            await expect(.nameReserved) { try await newUser("MIGUEL", storage) }
            let permitted = RegistrationPermit(
                challenge: SpentChallenge(digest: [UInt8](repeating: 1, count: 32), expiresAt: later))
            await expect(.nameReserved) {
                try await storage.insertUser(Username("miguel"), passwordHash: "h", at: now, using: permitted)
            }
            // The refused registration used up nothing.
            #expect(try await !storage.isChallengeSpent(digest: [UInt8](repeating: 1, count: 32)))
            let other = try await newUser("other", storage)
            await expect(.nameReserved) { try await rename(other.id, "other", to: "Miguel", storage) }
            await expect(.userAlreadyExists) { try await rename(other.id, "other", to: "susan", storage) }
            for isTrial in [true, false] {
                let outcomes = try await storage.importUsers([importable("miguel")], above: 0, isTrial: isTrial)
                #expect(outcomes == [.nameReserved])
            }
            #expect(try await storage.user(id: other.id)?.username == "other")
        },
        Promise("the earlier name is the user's to take back, and free when its time is over") {
            storage async throws in
            let user = try await newUser("a", storage)
            #expect(try await rename(user.id, "a", to: "b", storage) == .changed)
            #expect(try await rename(user.id, "b", to: "A", storage) == .changed)
            await expect(.nameReserved) { try await newUser("b", storage) }
            #expect(try await rename(user.id, "A", to: "c", storage) == .changed)
            await expect(.nameReserved) { try await newUser("a", storage) }
            // To the moment.
            let before = later.addingTimeInterval(-1)
            await expect(.nameReserved) { try await newUser("a", at: before, storage) }
            #expect(try await newUser("a", at: later, storage).username == "a")
            #expect(try await storage.deleteUsernameReservations(expiredBefore: later, limit: 10) == 0)
            #expect(
                try await storage.deleteUsernameReservations(expiredBefore: later.addingTimeInterval(1), limit: 10) == 1
            )
            #expect(try await newUser("b", storage).username == "b")
        },
        Promise("an expired reservation is in the way of no import and no other name") { storage async throws in
            let user = try await newUser("a", storage)
            let soon = now.addingTimeInterval(1)
            #expect(try await rename(user.id, "a", to: "b", until: soon, storage) == .changed)
            #expect(try await rename(user.id, "b", to: "c", until: soon, storage) == .changed)
            let event = Samples.event(.usersImported, at: soon)
            let outcomes = try await storage.importUsers(
                [importable("a")], above: 0, isTrial: false, recording: event)
            #expect(outcomes.importedCount == 1)
            let other = try await newUser("other", storage)
            #expect(try await rename(other.id, "other", to: "b", at: soon, storage) == .changed)
        },
        Promise("a name that was given up for no time is free at once, and goes with its user") {
            storage async throws in
            let user = try await newUser("a", storage)
            #expect(try await rename(user.id, "a", to: "b", until: now, storage) == .changed)
            #expect(try await newUser("a", storage).username == "a")
            #expect(try await rename(user.id, "b", to: "c", storage) == .changed)
            _ = try await storage.deleteUser(id: user.id, at: now)
            for name in ["b", "c"] { #expect(try await newUser(name, storage).username == name) }
        },
        Promise("a name that differs in case alone reserves nothing") { storage async throws in
            let user = try await newUser("miguel", storage)
            #expect(try await rename(user.id, "miguel", to: "Miguel", limit: 0, storage) == .changed)
            #expect(try await storage.user(id: user.id)?.username == "Miguel")
            #expect(try await storage.deleteUsernameReservations(expiredBefore: .distantFuture, limit: 10) == 0)
        },
        Promise("a change that is late, or of nobody, changes nothing") { storage async throws in
            let user = try await newUser("a", storage)
            #expect(try await rename(user.id, "other", to: "b", storage) == .changedMeanwhile)
            #expect(try await rename(user.id, "A", to: "b", storage) == .changedMeanwhile)
            #expect(try await rename(99, "a", to: "b", storage) == .changedMeanwhile)
            #expect(try await storage.user(id: user.id)?.username == "a")
            #expect(try await newUser("b", storage).username == "b")
            #expect(try await count("username.changed", storage) == 0)
            #expect(try await storage.deleteUsernameReservations(expiredBefore: .distantFuture, limit: 10) == 0)
        },
        Promise("nobody keeps more names than the limit says") { storage async throws in
            let user = try await newUser("a", storage)
            #expect(try await rename(user.id, "a", to: "b", limit: 2, storage) == .changed)
            #expect(try await rename(user.id, "b", to: "c", limit: 2, storage) == .changed)
            #expect(try await rename(user.id, "c", to: "d", limit: 2, storage) == .limitReached)
            #expect(try await rename(user.id, "c", to: "a", limit: 2, storage) == .changed)
            #expect(try await rename(user.id, "a", to: "d", limit: 2, storage) == .limitReached)
            await expect(.nameReserved) { try await newUser("b", storage) }
            #expect(try await rename(user.id, "a", to: "d", limit: 2, at: later, storage) == .changed)
            #expect(try await storage.user(id: user.id)?.username == "d")
        },
        Promise("of many who change to one name at once, one gets it") { storage async throws in
            var users: [User] = []
            for number in 0..<8 { users.append(try await newUser("user\(number)", storage)) }
            let winners = await withTaskGroup(of: Bool.self) { group in
                for user in users {
                    group.addTask {
                        do {
                            return try await rename(user.id, user.username, to: "Wanted", storage) == .changed
                        } catch {
                            #expect((error as? AuthError)?.code == .userAlreadyExists)
                            return false
                        }
                    }
                }
                return await group.reduce(into: []) { $0.append($1) }
            }
            #expect(winners.count(where: \.self) == 1)
            let owner = try #require(try await storage.credentials(canonicalUsername: "wanted")?.user)
            for user in users where user.id != owner.id {
                #expect(try await storage.user(id: user.id)?.username == user.username)
            }
        },
        Promise("two who swap their names do not get each other's") { storage async throws in
            let (one, other) = try await (newUser("one", storage), newUser("other", storage))
            #expect(try await rename(one.id, "one", to: "third", storage) == .changed)
            await expect(.nameReserved) { try await rename(other.id, "other", to: "one", storage) }
            #expect(try await storage.user(id: other.id)?.username == "other")
        },
        Promise("a name that is given up is not registered in that moment") { storage async throws in
            for round in 0..<20 {
                let (early, late) = ("early\(round)", "late\(round)")
                let user = try await newUser(early, storage)
                async let renamed = rename(user.id, early, to: late, storage)
                let others = await withTaskGroup(of: Bool.self) { group in
                    for _ in 0..<3 {
                        group.addTask {
                            do {
                                // By its hash a backend tells its own insertion from another's.
                                _ = try await storage.insertUser(Username(early), passwordHash: "other", at: now)
                                return true
                            } catch {
                                let code = (error as? AuthError)?.code
                                #expect(code == .userAlreadyExists || code == .nameReserved)
                                return false
                            }
                        }
                    }
                    return await group.reduce(into: []) { $0.append($1) }
                }
                #expect(try await renamed == .changed)
                #expect(!others.contains(true))
                #expect(try await storage.credentials(canonicalUsername: early) == nil)
            }
        },
        Promise("counters of a new name begin anew, those of a name taken back do not") { storage async throws in
            let user = try await newUser("a", storage)
            let (a, b) = (ThrottleSubject.account(try Username("a")), ThrottleSubject.account(try Username("b")))
            let limit = ThrottleLimit(
                allowance: 1000, delay: .doubling(from: 1, to: 1), forgiveness: nil, memory: 86400)
            for subject in [a, b] {
                _ = try await storage.countFailure(1, of: subject, other: nil, limit: limit, at: now)
            }
            #expect(try await rename(user.id, "a", to: "b", storage) == .changed)
            #expect(try await storage.throttles(of: [a, b]).map(\.subject) == [a])
            #expect(try await rename(user.id, "b", to: "a", storage) == .changed)
            #expect(try await storage.throttles(of: [a, b]).map(\.subject) == [a])
        },
    ]

    // MARK: Helpers

    private static func newUser(_ name: String, at date: Date = now, _ storage: any Storage) async throws -> User {
        try await storage.insertUser(Username(name), passwordHash: "h", at: date)
    }

    private static func set(
        _ profile: Profile, of user: User.ID, replacing version: Int64 = 0, _ storage: any Storage
    ) async throws -> ProfileChange {
        try await storage.setProfile(
            profile, of: user, replacing: version, endingSessions: false, at: now,
            recording: [Samples.event(.profileChanged, user: user, at: now)])
    }

    private static func rename(
        _ id: User.ID, _ present: String, to name: String, until: Date = later, limit: Int = 5, at date: Date = now,
        _ storage: any Storage
    ) async throws -> UsernameChange {
        try await storage.renameUser(
            id, from: Username(present), to: Username(name), reservingUntil: until, limit: limit, at: date,
            recording: Samples.event(
                .usernameChanged, user: id, ["username": name, "earlier_username": present], at: date))
    }

    private static func importable(_ name: String, _ profile: Profile = Profile()) throws -> ImportableUser {
        ImportableUser(id: nil, name: try Username(name), passwordHash: "h", createdAt: now, profile: profile)
    }

    private static func expect(_ code: AuthError.Code, _ body: () async throws -> some Any) async {
        let error = await #expect(throws: AuthError.self) { _ = try await body() }
        #expect(error?.code == code)
    }

    private static func count(_ name: String, _ storage: any Storage) async throws -> Int {
        try await storage.events(after: 0, limit: 1000).filter { $0.fields.name == name }.count
    }
}
