import Foundation
import Support
import Synchronization
import Testing

/// Clients that register, renew and verify without a pause, and keep book of what they were
/// promised.
///
/// Each has a thread of its own, where it waits for its answers: an outage must not keep the test
/// from going on.
final class DatabaseLoad: Sendable {
    enum Work: CaseIterable {
        case registration
        case renewal
        case verification
    }

    struct Book {
        /// How many requests were answered as they should be.
        var done: [Work: Int] = [:]
        /// How many were refused by the server, which said when to come back.
        var refused: [Work: Int] = [:]
        /// How many got no answer, or one of what stands in front of the servers.
        var lost = 0
        /// What nobody should ever be answered.
        var wrong: [String] = []
        /// Who was answered 201, with the location in the answer.
        var users: [String: String] = [:]
        /// Each client's newest refresh token.
        var refreshTokens: [Int: String] = [:]
    }

    static let clients = 4

    private let port: Int
    private let state = Mutex(Book())
    private let running = Atomic(0)
    private let isOver = Atomic(false)

    /// Signs the clients in and lets them go.
    /// - Parameter port: of a server, or of what stands in front of some.
    init(on port: Int) throws {
        self.port = port
        for client in 0..<Self.clients {
            let connection = try HTTPConnection(port: port)
            let (name, password) = ("client-\(client)", "python")
            try #require(try register(name, on: connection).status == 201)
            let tokens = try connection.send("POST", "/api/tokens", headers: [basic(name, password)]).json
            let access = try #require(tokens["access_token"] as? String)
            state.withLock { $0.refreshTokens[client] = tokens["refresh_token"] as? String }
            running.add(1, ordering: .relaxed)
            Thread { self.run(client, access: access) }.start()
        }
    }

    var book: Book { state.withLock { $0 } }

    /// Waits until each kind of work has been done `count` times more.
    func goOn(by count: Int, within seconds: Double = 20) async throws {
        let before = book.done
        try await wait(seconds: seconds, for: "requests to succeed") {
            let done = self.book.done
            return Work.allCases.allSatisfy { done[$0, default: 0] >= before[$0, default: 0] + count }
        }
    }

    /// Waits until each kind of work has been refused once more.
    func areRefused() async throws {
        let before = book.refused
        try await wait(seconds: 20, for: "requests to be refused") {
            let refused = self.book.refused
            return Work.allCases.allSatisfy { refused[$0, default: 0] > before[$0, default: 0] }
        }
    }

    /// Lets every client end what it began.
    func end() async throws -> Book {
        isOver.store(true, ordering: .relaxed)
        try await wait(seconds: 30, for: "the clients to end") { running.load(ordering: .relaxed) == 0 }
        return book
    }

    // MARK: A client

    private func run(_ client: Int, access: String) {
        var connection: HTTPConnection?
        var number = 0
        while !isOver.load(ordering: .relaxed) {
            do {
                let open = try connection ?? HTTPConnection(port: port)
                connection = open
                number += 1
                try work(client, number, access, on: open)
            } catch {
                connection = nil
                state.withLock { $0.lost += 1 }
            }
        }
        running.subtract(1, ordering: .relaxed)
    }

    private func work(_ client: Int, _ number: Int, _ access: String, on connection: HTTPConnection) throws {
        let name = "user-\(client)-\(number)"
        let registered = try register(name, on: connection)
        note(.registration, registered, right: 201) { $0.users[name] = registered["Location"] }

        let token = state.withLock { $0.refreshTokens[client] } ?? ""
        let renewed = try connection.send(
            "PUT", "/api/tokens", headers: ["Content-Type: application/json"], body: json(["refresh_token": token]))
        note(.renewal, renewed, right: 200) { $0.refreshTokens[client] = renewed.json["refresh_token"] as? String }

        note(.verification, try connection.send("GET", "/api/resource", headers: [bearer(access)]), right: 200) { _ in }
    }

    private func register(_ name: String, on connection: HTTPConnection) throws -> HTTPAnswer {
        try connection.send(
            "POST", "/api/users", headers: ["Content-Type: application/json"],
            body: json(["username": name, "password": "python"]))
    }

    private func note(_ work: Work, _ answer: HTTPAnswer, right: Int, _ promise: (inout Book) -> Void) {
        state.withLock { book in
            if answer.status == right {
                book.done[work, default: 0] += 1
                promise(&book)
            } else if answer.status == 503, answer.code != nil, answer["Retry-After"] != nil {
                book.refused[work, default: 0] += 1
            } else if (502...504).contains(answer.status), answer["Content-Type"] != "application/problem+json" {
                book.lost += 1
            } else {
                book.wrong.append("\(work): \(answer.status) \(answer.body)")
            }
        }
    }
}

extension DatabaseLoad.Book {
    /// Expects that all that was promised is there, and nothing twice.
    func expectKept(by server: RunningServer) throws {
        #expect(wrong.isEmpty, "\(wrong.prefix(3))")
        #expect(Set(users.values).count == users.count)
        let connection = try server.connect()
        for (name, location) in users {
            let path = location.replacing("http://127.0.0.1", with: "")
            #expect(try connection.send("GET", path).json as? [String: String] == ["username": name])
        }
        for (client, token) in refreshTokens {
            #expect(try server.refresh(token).status == 200)
            #expect(try server.sessions(basic("client-\(client)", "python")).count == 1)
        }
    }
}
