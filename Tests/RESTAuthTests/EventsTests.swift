import Foundation
import RESTAuth
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
        try await auth.clients.remove("c", by: operation.adding("c", to: auth.clients))
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
                "client.added", "client.removed", "invitation.created", "invitation.deleted", "signing_key.made",
                "signing_key.hastened", "signing_key.revoked", "user.deleted",
            ])
        #expect(events.allSatisfy { $0.actorKind == "operator" && $0.actorID == "root" })
    }

    @Test func whatIsRefusedOrChangesNothingHasNoRow() async throws {
        let test = try await TestAuth { $0.registration = .invitation }
        let auth = test.auth
        let tokens = try await test.session()
        try await auth.users.grant("admin", to: 1)
        let before = try await events(test)
        try await auth.users.grant("admin", to: 1)
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
        await test.expect(.clientNotFound) { try await auth.clients.remove("c", by: operation) }
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

extension Caller {
    fileprivate func adding(_ client: String, to clients: Clients) async throws -> Caller {
        _ = try await clients.add(client, by: self)
        return self
    }
}
