import Foundation
import Hummingbird
import HummingbirdTesting
import RESTAuth
import RESTAuthSQLite
import Synchronization
import Testing

@testable import Notes

/// What time it is, for as long as the test says so.
final class TestClock: Sendable {
    private let time = Mutex(Date())

    var now: Date { time.withLock { $0 } }

    func advance(by seconds: TimeInterval) { time.withLock { $0 += seconds } }
}

@Suite struct NotesTests {
    @Test func everyoneSeesTheirOwnNotesAndNobodyElseSeesAny() async throws {
        let app = try await Notes.application(Auth(storage: SQLiteStorage()))
        try await app.test(.live) { client in
            for name in ["miguel", "susan"] {
                let body = ByteBuffer(string: #"{"username":"\#(name)","password":"python"}"#)
                try await client.execute(
                    uri: "/api/users", method: .post, headers: [.contentType: "application/json"], body: body
                ) {
                    #expect($0.status == .created)
                }
            }
            try await client.execute(uri: "/notes", method: .get) {
                #expect($0.status == .unauthorized)
                #expect($0.headers[.wwwAuthenticate] == #"Basic realm="Authentication Required""#)
            }
            let miguel: HTTPFields = [.authorization: basic("miguel"), .contentType: "application/json"]
            try await client.execute(
                uri: "/notes", method: .post, headers: miguel, body: ByteBuffer(string: #""Buy milk""#)
            ) {
                #expect($0.status == .created)
            }
            try await client.execute(uri: "/notes", method: .get, headers: miguel) {
                #expect(String(buffer: $0.body) == #"["Buy milk"]"#)
            }
            try await client.execute(uri: "/notes", method: .get, headers: [.authorization: basic("susan")]) {
                #expect(String(buffer: $0.body) == "[]")
            }
        }
    }

    /// Nobody waits for that: the clock is moved.
    @Test func aTokenOpensTheNotesForTenMinutes() async throws {
        let clock = TestClock()
        var configuration = AuthConfiguration()
        configuration.now = { clock.now }
        let auth = try await Auth(storage: SQLiteStorage(), configuration: configuration)
        _ = try await auth.users.register("miguel", password: "python")
        let tokens = try await auth.sessions.start(for: auth.login.attempt("miguel", password: "python"))
        try await Notes.application(auth).test(.live) { client in
            let headers: HTTPFields = [.authorization: "Bearer \(tokens.access.value)"]
            try await client.execute(uri: "/notes", method: .get, headers: headers) { #expect($0.status == .ok) }
            clock.advance(by: 601)
            try await client.execute(uri: "/notes", method: .get, headers: headers) {
                #expect($0.status == .unauthorized)
            }
        }
    }

    private func basic(_ username: String) -> String {
        "Basic " + Data("\(username):python".utf8).base64EncodedString()
    }
}
