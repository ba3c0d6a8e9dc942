import Foundation
import Support
import Synchronization
import Testing

/// Clients that register, renew and verify without a pause, and record what was acknowledged.
final class DatabaseLoad: Sendable {
    enum Work: CaseIterable {
        case registration
        case renewal
        case verification
    }

    struct Book {
        /// Numbers of requests that were answered as expected.
        var done: [Work: Int] = [:]
        /// Numbers of requests that the server refused, saying when to come back.
        var refused: [Work: Int] = [:]
        /// The number of requests without an answer, or with one from a proxy.
        var lost = 0
        /// Answers that a client must never get.
        var wrong: [String] = []
        /// Names that were answered with 201, each with the location in the answer.
        var users: [String: String] = [:]
        /// The newest refresh token of each client.
        var refreshTokens: [Int: String] = [:]
    }

    static let clients = 4

    private let port: Int
    private let state = Mutex(Book())
    private let isOver = Atomic(false)

    private init(on port: Int) { self.port = port }

    /// Signs the clients in and runs them while `body` runs; then each finishes its last request.
    /// - Parameter port: the port of a server, or of a load balancer.
    static func run(on port: Int, _ body: (DatabaseLoad) async throws -> Void) async throws -> Book {
        let load = DatabaseLoad(on: port)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for client in 0..<clients {
                let access = try await load.signIn(client)
                group.addTask { await load.work(client, access: access) }
            }
            try await body(load)
            load.isOver.store(true, ordering: .relaxed)
            try await group.waitForAll()
        }
        return load.book
    }

    var book: Book { state.withLock { $0 } }

    /// Waits until each kind of work has succeeded `count` more times.
    func goOn(by count: Int) async throws {
        let before = book.done
        try await wait(for: "requests to succeed") {
            let done = self.book.done
            return Work.allCases.allSatisfy { done[$0, default: 0] >= before[$0, default: 0] + count }
        }
    }

    /// Waits until each kind of work has been refused once more.
    func areRefused() async throws {
        let before = book.refused
        try await wait(for: "requests to be refused") {
            let refused = self.book.refused
            return Work.allCases.allSatisfy { refused[$0, default: 0] > before[$0, default: 0] }
        }
    }

    // MARK: A client

    /// - Returns: the access token of the client.
    private func signIn(_ client: Int) async throws -> String {
        let connection = try await HTTPConnection(port: port)
        let (name, password) = ("client-\(client)", "python")
        try #require(try await register(name, on: connection).status == 201)
        let tokens = try await connection.send("POST", "/api/tokens", headers: [basic(name, password)]).json
        state.withLock { $0.refreshTokens[client] = tokens["refresh_token"] as? String }
        return try #require(tokens["access_token"] as? String)
    }

    private func work(_ client: Int, access: String) async {
        var connection: HTTPConnection?
        var number = 0
        while !isOver.load(ordering: .relaxed), !Task.isCancelled {
            do {
                let open: HTTPConnection
                if let connection { open = connection } else { open = try await HTTPConnection(port: port) }
                connection = open
                number += 1
                try await work(client, number, access, on: open)
            } catch {
                connection = nil
                state.withLock { $0.lost += 1 }
            }
        }
    }

    private func work(_ client: Int, _ number: Int, _ access: String, on connection: HTTPConnection) async throws {
        let name = "user-\(client)-\(number)"
        let registered = try await register(name, on: connection)
        note(.registration, registered, right: 201) { $0.users[name] = registered["Location"] }

        let token = state.withLock { $0.refreshTokens[client] } ?? ""
        let renewed = try await connection.send(
            "PUT", "/api/tokens", headers: ["Content-Type: application/json"], body: json(["refresh_token": token]))
        note(.renewal, renewed, right: 200) { $0.refreshTokens[client] = renewed.json["refresh_token"] as? String }

        let verified = try await connection.send("GET", "/api/resource", headers: [bearer(access)])
        note(.verification, verified, right: 200) { _ in }
    }

    private func register(_ name: String, on connection: HTTPConnection) async throws -> HTTPAnswer {
        try await connection.send(
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
    /// Expects everything acknowledged to be there, and nothing twice.
    func expectKept(by server: RunningServer) async throws {
        #expect(wrong.isEmpty, "\(wrong.prefix(3))")
        #expect(Set(users.values).count == users.count)
        let connection = try await server.connect()
        for (name, location) in users {
            let path = location.replacing("http://127.0.0.1", with: "")
            #expect(try await connection.send("GET", path).json as? [String: String] == ["username": name])
        }
        for (client, token) in refreshTokens {
            #expect(try await server.refresh(token).status == 200)
            #expect(try await server.sessions(basic("client-\(client)", "python")).count == 1)
        }
    }
}
