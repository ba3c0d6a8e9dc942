import Foundation
import Metrics
import MetricsTestKit
import RESTAuth
import RESTAuthSQLite
import RESTAuthTesting
import Testing

/// The events that doors record, with their actors.
@Suite struct EventsTests {
    private let browser = Caller(address: "192.0.2.7", userAgent: "curl/8.5.0", requestID: "0123456789abcdef")
    private let operation = Caller(OperatorIdentity(account: "root"))

    private func events(_ test: TestAuth) async throws -> [EventFields] {
        try await test.storage.events(after: 0, limit: 1000).map(\.fields)
    }

    @Test func thePageHasEveryNameInOrderAndSaysWhichHaveRows() throws {
        let page = URL(filePath: #filePath).appending(path: "../../../Sources/RESTAuth/RESTAuth.docc/Events.md")
            .standardized
        let rows = try String(contentsOf: page, encoding: .utf8)
            .matches(of: /\n\| `([a-z_]+\.[a-z_]+)` \| (yes|no) \|/).map { "\($0.output.1) \($0.output.2)" }
        let names = AuthEvent.Name.allCases.map { "\($0.rawValue) \($0.isDurable ? "yes" : "no")" }
        #expect(rows == names.sorted())
    }

    @Test func aSessionBeginsByTheUserAndARegistrationByNobodyKnown() async throws {
        let test = try await TestAuth()
        let user = try await test.auth.registration.register("miguel", password: "python", by: browser)
        _ = try await test.signIn(by: browser)
        let events = try await events(test).suffix(2)
        #expect(events.map(\.name) == ["user.registered", "session.started"])
        #expect(events.map(\.actorKind) == ["anonymous", "user"])
        #expect(events.map(\.actorID) == [nil, "\(user.id)"])
        #expect(events.allSatisfy { $0.userID == user.id && $0.at == test.clock.now })
        #expect(events.allSatisfy { $0.address == "192.0.2.7" && $0.userAgent == "curl/8.5.0" })
        #expect(events.allSatisfy { $0.requestID == "0123456789abcdef" })
    }

    @Test func yourOwnCodeActsAsItselfForWhomeverItVouches() async throws {
        let test = try await TestAuth()
        _ = try await test.session()
        #expect(try await events(test).allSatisfy { $0.actorKind == "application" && $0.actorID == nil })
    }

    @Test func whatAnOperatorDoesIsTheOperators() async throws {
        let test = try await TestAuth()
        let auth = test.auth
        _ = try await test.session()
        let user = try await auth.users.find(1)
        let before = try await events(test).count
        try await auth.users.grant("admin", to: 1, by: operation)
        try await auth.users.revoke("admin", from: 1, by: operation)
        try await auth.users.disable(1, by: operation)
        try await auth.users.enable(1, by: operation)
        try await auth.passwords.set("another one", for: user, by: operation)
        try await auth.clients.delete("c", by: operation.adding("c", to: auth.clients))
        let invitation = try await auth.registration.invite(by: operation).invitation
        try await auth.registration.deleteInvitation(invitation.id, by: operation)
        let key = try await auth.signingKeys.rotate(by: operation)
        _ = try await auth.signingKeys.rotate(lead: SigningKeys.shortestLead, by: operation)
        try await auth.signingKeys.revoke(key.id, by: operation)
        try await auth.users.delete(1, by: operation)
        let events = try await events(test).dropFirst(before)
        #expect(
            events.map(\.name) == [
                "role.granted", "role.revoked", "user.disabled", "user.enabled", "password.changed", "session.ended",
                "client.added", "client.deleted", "invitation.created", "invitation.deleted", "signing_key.made",
                "signing_key.hastened", "signing_key.revoked", "user.deleted",
            ])
        #expect(events.allSatisfy { $0.actorKind == "operator" && $0.actorID == "root" })
    }

    @Test func whatIsRefusedOrChangesNothingHasNoRow() async throws {
        let test = try await TestAuth { $0.registration = .invitation }
        let auth = test.auth
        let tokens = try await test.session()
        try await auth.users.grant("admin", to: 1)
        _ = try await auth.login.identify("miguel", password: "python", by: browser)
        let before = try await events(test)
        try await auth.users.grant("admin", to: 1)
        try await auth.users.revoke("guest", from: 1, by: operation)
        try await auth.users.enable(1, by: operation)
        _ = try await auth.login.identify("miguel", password: "python", by: browser)
        _ = try await auth.sessions.refresh(tokens.refresh.value, by: browser)
        #expect(try await !auth.sessions.end(presenting: "nothing", by: browser))
        #expect(try await !auth.throttle.clear(.network(#require(browser.network)), by: operation))
        await test.expect(.invalidCredentials) { try await auth.login.identify("miguel", password: "x", by: browser) }
        await test.expect(.userAlreadyExists) { try await auth.users.register("miguel", password: "python") }
        await test.expect(.userNotFound) { try await auth.users.disable(2, by: operation) }
        await test.expect(.userNotFound) { try await auth.users.delete(2, by: operation) }
        await test.expect(.userNotFound) { try await auth.users.grant("admin", to: 2, by: operation) }
        await test.expect(.sessionNotFound) { try await auth.sessions.end(Session.ID(at: .now), by: operation) }
        await test.expect(.clientNotFound) { try await auth.clients.delete("c", by: operation) }
        await test.expect(.keyNotFound) { try await auth.signingKeys.revoke("k", by: operation) }
        await test.expect(.invitationNotFound) { try await auth.registration.deleteInvitation("i", by: operation) }
        await test.expect(.invitationRequired) {
            try await auth.registration.register("susan", password: "python", by: browser)
        }
        #expect(try await events(test) == before)
    }

    @Test func anotherPasswordIsRecordedByItsOwnerWithWhatEndsAndWhatBegins() async throws {
        let test = try await TestAuth()
        let tokens = try await test.session(by: browser)
        let identity = try await test.verify(tokens.access)
        let before = try await events(test).count
        try await test.auth.passwords.change(from: "python", to: "another one", for: identity, by: browser)
        let events = try await events(test).dropFirst(before)
        #expect(Set(events.map(\.name)) == ["password.changed", "session.ended", "session.started"])
        #expect(events.allSatisfy { $0.actorKind == "user" && $0.actorID == "1" && $0.userID == 1 })
        #expect(events.first { $0.name == "session.ended" }?.details == #"{"cause":"password.changed"}"#)
    }

    private struct Stop: Error {}

    @Test func anImportThatEndsInTheMiddleHasAnEventForWhomItBroughtIn() async throws {
        let test = try await TestAuth()
        let file = FileManager.default.temporaryDirectory.appending(path: "\(UUID().uuidString).jsonl")
        defer { try? FileManager.default.removeItem(at: file) }
        let count = UserImport.batchSize + 1
        let lines = (1...count).map {
            #"{"id":\#($0),"username":"u\#($0)","password_hash":"\#(Samples.passwordHash)","roles":["admin"]}"# + "\n"
        }
        try Data(lines.joined().utf8).write(to: file)
        func run(stopping: Bool) async throws {
            _ = try await UserImport(into: test.storage, hashes: HashIntake(), by: operation).run(
                JSONLines(reading: file.path)
            ) { _, progress in
                if stopping, progress.step == .writing { throw Stop() }
            }
        }
        await #expect(throws: Stop.self) { try await run(stopping: true) }
        func imported() async throws -> [String] {
            try await events(test).filter { $0.name == "users.imported" }.map(\.details)
        }
        #expect(try await test.storage.userCount() == UserImport.batchSize)
        #expect(try await imported() == [#"{"users":"\#(UserImport.batchSize)"}"#])
        for _ in 0..<2 { try await run(stopping: false) }
        #expect(try await test.storage.userCount() == count)
        #expect(try await imported() == [#"{"users":"\#(UserImport.batchSize)"}"#, #"{"users":"1"}"#])
    }

    @Test func anExportThatIsNotReadToItsEndHasItsEvent() async throws {
        let test = try await TestAuth()
        for name in ["a", "b"] { _ = try await test.auth.users.register(name, password: "python") }
        await #expect(throws: Stop.self) {
            try await UserExport(from: test.storage, by: operation).run(includingPasswordHashes: true) { _ in
                throw Stop()
            }
        }
        let event = try #require(await events(test).last)
        #expect(event.name == "users.exported" && event.actorKind == "operator")
        #expect(event.details == #"{"password_hashes":"true","users":"2"}"#)
    }

    @Test func anImportAndAnExportAreOneEventEach() async throws {
        let test = try await TestAuth()
        let file = FileManager.default.temporaryDirectory.appending(path: "\(UUID().uuidString).jsonl")
        defer { try? FileManager.default.removeItem(at: file) }
        for name in ["a", "b", "c"] { _ = try await test.auth.users.register(name, password: "python") }
        var lines: [UInt8] = []
        try await UserExport(from: test.storage, by: operation).run(includingPasswordHashes: true) { lines += $0 }
        try Data(lines).write(to: file)
        let other = try await TestAuth()
        for _ in 0..<2 {
            _ = try await UserImport(into: other.storage, hashes: HashIntake(), by: operation).run(
                JSONLines(reading: file.path))
        }
        let (exported, imported) = (try await events(test).last, try await events(other).last)
        #expect(exported?.name == "users.exported")
        #expect(exported?.details == #"{"password_hashes":"true","users":"3"}"#)
        #expect(imported?.name == "users.imported" && imported?.details == #"{"users":"3"}"#)
        #expect(imported?.actorKind == "operator")
        #expect(try await events(other).filter { $0.name == "users.imported" }.count == 1)
    }
}

/// Log lines and metrics beside the rows: as many as there are events.
@Suite struct CountedEventsTests {
    private let metrics = TestMetrics()

    private func count(_ name: AuthEvent.Name) -> Int64 {
        (try? metrics.expectCounter("rest_auth_events_total", [("event", name.rawValue)]).totalValue) ?? 0
    }

    @Test func whatChangesNothingIsNotCounted() async throws {
        try await withMetricsFactory(metrics) {
            let test = try await TestAuth()
            _ = try await test.session()
            for _ in 0..<2 {
                try await test.auth.users.grant("admin", to: 1)
                try await test.auth.users.disable(1)
            }
            for _ in 0..<2 {
                try await test.auth.users.revoke("admin", from: 1)
                try await test.auth.users.enable(1)
            }
        }
        for name: AuthEvent.Name in [.roleGranted, .roleRevoked, .userDisabled, .userEnabled] {
            #expect(count(name) == 1, "\(name.rawValue)")
        }
    }

    @Test func countersOfANameAreClearedInOneEvent() async throws {
        try await withMetricsFactory(metrics) {
            let test = try await TestAuth()
            _ = try await test.session()
            _ = try await test.auth.login.identify("miguel", password: "python", by: Caller(address: "192.0.2.7"))
            for address in ["192.0.2.7", "198.51.100.1"] {
                await test.expect(.invalidCredentials) {
                    try await test.auth.login.identify("miguel", password: "x", by: Caller(address: address))
                }
            }
            let name = try Username("miguel")
            #expect(try await test.auth.throttle.clear(name, user: 1).count == 2)
            #expect(try await test.auth.throttle.clear(name, user: 1).isEmpty)
            let rows = try await test.storage.events(after: 0, limit: 100).filter {
                $0.fields.name == "throttle.cleared"
            }
            #expect(rows.count == 1)
        }
        #expect(count(.throttleCleared) == 1)
    }

    @Test func everyRepetitionIsCountedAndTheFirstWithAnotherTokenHasARow() async throws {
        try await withMetricsFactory(metrics) {
            let test = try await TestAuth()
            let tokens = try await test.session()
            func rows() async throws -> Int {
                try await test.storage.events(after: 0, limit: 100).count { $0.fields.name == "refresh_token.repeated" }
            }
            for _ in 0..<4 { _ = try await test.auth.sessions.refresh(tokens.refresh.value) }
            #expect(try await rows() == 0)
            for _ in 0..<3 {
                test.clock.advance(by: RefreshRotation.sharingTime + 1)
                _ = try await test.auth.sessions.refresh(tokens.refresh.value)
            }
            #expect(try await rows() == 1)
        }
        #expect(count(.refreshTokenRepeated) == 6)
    }

    /// Renewals cost nothing, so they must not fill the trail by repetitions.
    @Test func repetitionsWithinTheTimeOfOneTokenFillNothing() async throws {
        let test = try await TestAuth()
        var token = try await test.session().refresh.value
        for _ in 0..<50 {
            let next = try await test.auth.sessions.refresh(token).refresh
            _ = try await test.auth.sessions.refresh(token)
            token = next.value
        }
        let rows = try await test.storage.events(after: 0, limit: 100)
        #expect(rows.allSatisfy { $0.fields.name != "refresh_token.repeated" })
    }

    @Test func theNumberOfRowsIsMeasuredWithoutCountingThem() async throws {
        let clock = TestClock()
        let test = try await withMetricsFactory(metrics) {
            try await TestAuth(over: SQLiteStorage(), secret: InstanceSecret(), clock: clock) {
                $0.auditRetention = AuthConfiguration.auditRetentions.lowerBound
            }
        }
        func rows() async throws -> Double? {
            try await test.auth.sealer.seal()
            return try metrics.expectRecorder("rest_auth_audit_events").lastValue
        }
        let first = try #require(try await rows())
        for name in ["a", "b", "c"] { _ = try await test.auth.users.register(name, password: "python") }
        #expect(try await rows() == first + 3)
        #expect(try await rows() == first + 3)
        clock.advance(by: TimeInterval(AuthConfiguration.auditRetentions.lowerBound) + 1)
        try await test.auth.auditTrail.prune()
        #expect(try await rows() == 0)
    }
}

/// Actors and origins of events as the owner of the account sees them.
@Suite struct AccountEventsTests {
    private let home = Caller(address: "192.0.2.7", userAgent: "phone")
    private let elsewhere = Caller(address: "10.2.3.4", userAgent: "internal-gw/1.2")

    @Test func theOriginIsThatOfTheOwnerOrOfSomebodyUnknownAndNobodyElses() async throws {
        let test = try await TestAuth()
        let auth = test.auth
        _ = try await auth.registration.register("miguel", password: "python", by: home)
        let susan = try await auth.users.register("susan", password: "python")
        let admin = auth.login.vouch(for: susan, at: test.clock.now)
        let secret = try await auth.clients.add("gateway")
        let gateway = try await auth.clients.authenticate("gateway", secret: secret.value)
        let tokens = try await test.signIn(by: home)
        try await auth.sessions.end(
            presenting: tokens.access.value, by: elsewhere.identified(as: .client(gateway)))
        for caller in [elsewhere.identified(as: .user(admin)), Caller(OperatorIdentity(account: "x")), .application] {
            try await auth.users.grant("admin", to: 1, by: caller)
            try await auth.users.revoke("admin", from: 1, by: caller)
        }
        let events = try await auth.auditTrail.events(of: 1, before: nil, limit: 100).reversed()
        let told = events.map { "\($0.name.rawValue) \($0.actor) \($0.origin.address ?? "-")" }
        #expect(
            told == [
                "user.registered anonymous 192.0.2.7", "session.started user 192.0.2.7", "session.ended client -",
                "role.granted other_user -", "role.revoked other_user -", "role.granted operator -",
                "role.revoked operator -", "role.granted application -", "role.revoked application -",
            ])
        #expect(events.allSatisfy { ($0.origin.userAgent == nil) == ($0.origin.address == nil) })
    }

    @Test func whoGuessesIsNotToldFromWhere() async throws {
        let test = try await TestAuth()
        _ = try await test.auth.users.register("miguel", password: "python")
        var refusal: AuthError.Code?
        while refusal != .rateLimited {
            do {
                _ = try await test.auth.login.identify("miguel", password: "x", by: elsewhere)
            } catch let error as AuthError {
                refusal = error.code
            }
        }
        let reached = try #require(await test.auth.auditTrail.events(of: 1, before: nil, limit: 1).first)
        #expect(reached.name == .throttleReached && reached.origin == SessionOrigin())
    }

    @Test func aNetworkWhereTheUserIsNotKnownIsToldOnceAlsoWithoutASession() async throws {
        let test = try await TestAuth()
        _ = try await test.auth.registration.register("miguel", password: "python", by: home)
        func guess(_ password: String, by caller: Caller) async {
            _ = try? await test.auth.login.identify("miguel", password: password, by: caller)
        }
        await guess("python", by: home)
        await guess("wrong", by: elsewhere)
        for _ in 0..<3 { await guess("python", by: elsewhere) }
        let events = try await test.auth.auditTrail.events(of: 1, before: nil, limit: 100)
        #expect(events.map(\.name) == [.networkRemembered, .userRegistered])
        #expect(events.first?.actor == "user" && events.first?.origin == elsewhere.origin)
        #expect(events.first?.details == ["network": "10.2.3.0/24"])
    }

    @Test func whatNobodyNeedKnowIsNotShown() async throws {
        let test = try await TestAuth()
        for name in AuthEvent.Name.allCases where name.isDurable {
            try await test.storage.append(Samples.event(name, user: 1, ["secret_id": "x", "role": "r", "file": "f"]))
        }
        let events = try await test.auth.auditTrail.events(of: 1, before: nil, limit: 1000)
        let names = Set(events.map(\.name))
        #expect(
            names.isSuperset(of: [
                .loginStuffed, .networkRemembered, .passwordChanged, .refreshTokenRepeated, .refreshTokenReused,
                .roleGranted, .roleRevoked, .sessionEnded, .sessionStarted, .throttleCleared, .throttleReached,
                .userDisabled, .userEnabled, .userRegistered,
            ]))
        #expect(
            names.isDisjoint(with: [
                .backupMade, .backupRestored, .clientAdded, .clientDeleted, .databaseMigrated, .invitationCreated,
                .invitationDeleted, .passwordRehashed, .schemaApplied, .secretDropped, .secretRotated, .signingKeyMade,
                .signingKeyHastened, .signingKeyRevoked, .userDeleted, .usersExported, .usersImported,
            ]))
        #expect(events.allSatisfy { $0.details.isEmpty || $0.details == ["role": "r"] })
    }
}

extension Caller {
    fileprivate func adding(_ client: String, to clients: Clients) async throws -> Caller {
        _ = try await clients.add(client, by: self)
        return self
    }
}
