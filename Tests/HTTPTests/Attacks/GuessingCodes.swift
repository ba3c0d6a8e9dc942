import Foundation
import RESTAuth
import Support
import Synchronization
import Testing

/// Attacks by someone who knows the password of a user and tries thousands of codes. Counted is how
/// many were compared at all: these are answered `invalid_code`.
///
/// The addresses are those that a trusted proxy reports. The tests share a server that counts. Each
/// has its own account and networks, and hashing is not limited.
@Suite struct GuessingCodes {
    private static let starting = Task {
        try await RunningServer([
            "--trusted-proxies", "127.0.0.1", "--log-level", "warning", "--hashing-budget", "1000000",
            "--hashing-patience", "600",
        ])
    }
    /// The number of wrong codes of one factor that are compared at once, and the delay after them,
    /// which is doubled after each that follows.
    private static let allowed = 5
    private static let delay = Duration.seconds(30)

    private let server: RunningServer

    init() async throws { server = try await Self.starting.value }

    private static let count = Soak.count(1000, soak: 10_000)

    @Test func tenThousandCodesAtOneTicket() async throws {
        let owner = try await Owner(at: server)
        let ticket = try await owner.ticket(from: owner.attacker(0))
        let outcome = try await owner.attack(Self.count) { _ in (ticket, owner.attacker(0)) }
        #expect(outcome.compared == Self.allowed, "\(outcome.answers)")
        try await expectOwnerComesIn(owner)
    }

    /// A ticket is good for five codes, so there is a new one for each five.
    @Test func tenThousandCodesAtManyTickets() async throws {
        let owner = try await Owner(at: server)
        let tickets = try await owner.tickets(Self.count / 5) { _ in owner.attacker(0) }
        let outcome = try await owner.attack(Self.count) { (tickets[$0 / 5], owner.attacker(0)) }
        expect(outcome)
        try await expectOwnerComesIn(owner)
    }

    @Test func tenThousandCodesFromFiveHundredNetworks() async throws {
        let owner = try await Owner(at: server)
        let tickets = try await owner.tickets(Self.count / 5) { owner.attacker($0 % 500) }
        let outcome = try await owner.attack(Self.count) { (tickets[$0 / 5], owner.attacker($0 / 5 % 500)) }
        expect(outcome)
        // The right one is not tried either.
        let ticket = try await owner.ticket(from: owner.attacker(501))
        let answer = try await owner.answer(ticket, owner.code(), from: owner.attacker(501))
        #expect([401, 429].contains(answer.status), "\(answer.body)")
        try await expectOwnerComesIn(owner)
    }

    @Test func tenThousandRecoveryCodes() async throws {
        let owner = try await Owner(at: server)
        let tickets = try await owner.tickets(Self.count / 5) { owner.attacker($0 % 500) }
        let outcome = try await owner.attack(Self.count, with: { _ in RecoveryCode().value }) {
            (tickets[$0 / 5], owner.attacker($0 / 5 % 500))
        }
        expect(outcome)
        try await expectOwnerComesIn(owner)
    }

    /// Five, and one more for each delay that has passed, of 30 seconds, 60, 120 and so on.
    private func expect(_ outcome: Owner.Outcome) {
        let delays = Int(log2(outcome.time / Self.delay + 1))
        #expect((Self.allowed...Self.allowed + delays).contains(outcome.compared), "\(outcome.answers)")
        #expect(outcome.answers["-", default: 0] == 0, "\(outcome.answers)")
    }

    /// At home with a code and with a recovery code, and from anywhere with the device.
    private func expectOwnerComesIn(_ owner: Owner) async throws {
        for code in [owner.code(), owner.recoveryCodes[1]] {
            let answer = try await owner.answer(owner.ticket(from: owner.home), code, from: owner.home)
            #expect(answer.status == 200, "\(answer.body)")
        }
        let train = "192.0.2.\(Int.random(in: 1...250))"
        let answer = try await owner.firstStep(from: train, ["device_token": owner.device])
        #expect(answer.status == 200, "\(answer.body)")
        #expect(answer.json["access_token"] != nil)
    }
}

/// A user with an app, recovery codes and a trusted device, who has signed in at home.
private struct Owner {
    struct Outcome {
        /// The number of each code of a problem; `-` for an answer that let in.
        let answers: [String: Int]
        let time: Duration
        /// How many were compared with the right one.
        var compared: Int { answers["invalid_code", default: 0] }
    }

    let server: RunningServer
    let account: Account
    let home: String
    let device: String
    let recoveryCodes: [String]
    private let secret: TOTPSecret
    private let number: Int

    private static let count = Atomic(0)

    init(at server: RunningServer) async throws {
        self.server = server
        number = Self.count.add(1, ordering: .relaxed).newValue
        let (account, home) = (try await server.newAccount(), "203.0.\(number).7")
        (self.account, self.home) = (account, home)
        let headers = ["X-Forwarded-For: \(home)", "Content-Type: application/json"]
        let added = try await server.send(
            "POST", "/api/me/factors", headers: [account.basic] + headers,
            body: json(["type": "totp", "name": "phone"]))
        let (id, text) = (added.json["id"] as? String, added.json["secret"] as? String)
        secret = try #require(text.flatMap { Base32.decode($0.utf8) }.flatMap(TOTPSecret.init), "\(added.body)")
        let confirmed = try await server.send(
            "PUT", "/api/me/factors/\(id ?? "")", headers: [account.basic] + headers,
            body: json(["code": secret.code(for: TOTP.step(at: .now)).value]))
        recoveryCodes = try #require(confirmed.json["recovery_codes"] as? [String], "\(confirmed.body)")
        let first = try await server.send("POST", "/api/tokens", headers: [account.basic] + headers)
        let done = try await server.send(
            "POST", "/api/tokens", headers: headers,
            body: json(["ticket": first.json["ticket"] ?? "", "code": recoveryCodes[0], "trust_device": true]))
        device = try #require(done.json["device_token"] as? String, "\(done.body)")
    }

    /// An address in a network of its own.
    func attacker(_ index: Int) -> String { "10.\(number * 2 + index / 256).\(index % 256).1" }

    /// A code that was not used: half a minute ahead is accepted.
    func code() -> String { secret.code(for: TOTP.step(at: .now + 30)).value }

    /// The right password, from there.
    func firstStep(from address: String, _ more: [String: Any] = [:]) async throws -> HTTPAnswer {
        let fields = ["username": account.name, "password": account.password].merging(more) { $1 }
        return try await server.send(
            "POST", "/api/tokens", headers: ["X-Forwarded-For: \(address)", "Content-Type: application/json"],
            body: json(fields))
    }

    func ticket(from address: String) async throws -> String {
        let answer = try await firstStep(from: address)
        return try #require(answer.json["ticket"] as? String, "\(answer.body)")
    }

    func answer(_ ticket: String, _ code: String, from address: String) async throws -> HTTPAnswer {
        try await answer(ticket, code, from: address, over: server.connect())
    }

    private func answer(
        _ ticket: String, _ code: String, from address: String, over connection: HTTPConnection
    ) async throws -> HTTPAnswer {
        try await connection.send(
            "POST", "/api/tokens", headers: ["X-Forwarded-For: \(address)", "Content-Type: application/json"],
            body: json(["ticket": ticket, "code": code]))
    }

    /// Does something `count` times on eight connections.
    private func spread<Value: Sendable>(
        _ count: Int, _ work: @escaping @Sendable (Int, HTTPConnection) async throws -> Value
    ) async throws -> [Int: Value] {
        let connections = 8
        return try await withThrowingTaskGroup(of: [Int: Value].self) { group in
            for worker in 0..<connections {
                group.addTask {
                    let connection = try await server.connect()
                    var values: [Int: Value] = [:]
                    for index in stride(from: worker, to: count, by: connections) {
                        values[index] = try await work(index, connection)
                    }
                    return values
                }
            }
            return try await group.reduce(into: [:]) { $0.merge($1) { $1 } }
        }
    }

    /// Tickets that the right password gives at these addresses.
    func tickets(_ count: Int, _ address: @escaping @Sendable (Int) -> String) async throws -> [String] {
        let tickets = try await spread(count) { index, _ in try await ticket(from: address(index)) }
        return (0..<count).map { tickets[$0] ?? "" }
    }

    /// Answers tickets with codes that are wrong.
    func attack(
        _ count: Int, with code: (@Sendable (Int) -> String)? = nil,
        _ guess: @escaping @Sendable (Int) -> (ticket: String, address: String)
    ) async throws -> Outcome {
        let start = ContinuousClock.now
        let right = Set((Int64(-10)...50).map { secret.code(for: TOTP.step(at: .now) + $0).value })
        let answers = try await spread(count) { index, connection in
            let (ticket, address) = guess(index)
            let wrong = String(format: "%06d", index)
            let code = code?(index) ?? (right.contains(wrong) ? "999999" : wrong)
            return try await answer(ticket, code, from: address, over: connection).code ?? "-"
        }
        return Outcome(
            answers: answers.values.reduce(into: [:]) { $0[$1, default: 0] += 1 }, time: ContinuousClock.now - start)
    }
}
