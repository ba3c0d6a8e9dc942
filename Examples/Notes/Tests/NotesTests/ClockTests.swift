import Foundation
import Hummingbird
import HummingbirdTesting
import RESTAuth
import RESTAuthSQLite
import Synchronization
import Testing

@testable import Notes

/// A clock that only the test moves.
final class TestClock: Sendable {
    private let time = Mutex(Date())

    var now: Date { time.withLock { $0 } }

    func advance(by seconds: TimeInterval) { time.withLock { $0 += seconds } }
}

@Test func aTokenOpensTheNotesForTenMinutes() async throws {
    let clock = TestClock()
    var configuration = AuthConfiguration()
    configuration.now = { clock.now }
    let auth = try await Auth(storage: SQLiteStorage(), configuration: configuration)
    _ = try await auth.users.register("miguel", password: "python")
    let tokens = try await auth.sessions.start(for: auth.login.identify("miguel", password: "python"))
    try await Notes.application(auth).test(.live) { client in
        let headers: HTTPFields = [.authorization: "Bearer \(tokens.access.value)"]
        try await client.execute(uri: "/notes", method: .get, headers: headers) { #expect($0.status == .ok) }
        clock.advance(by: 601)
        try await client.execute(uri: "/notes", method: .get, headers: headers) {
            #expect($0.status == .unauthorized)
        }
    }
}
