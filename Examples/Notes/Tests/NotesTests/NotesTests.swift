import Foundation
import Hummingbird
import HummingbirdTesting
import RESTAuth
import RESTAuthSQLite
import Testing

@testable import Notes

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

    /// A user who has only a password adds an app first.
    @Test func noNoteIsBurntWithoutASecondFactor() async throws {
        let auth = try await Auth(storage: SQLiteStorage())
        _ = try await auth.users.register("miguel", password: "python")
        let tokens = try await auth.sessions.start(for: auth.login.identify("miguel", password: "python"))
        try await Notes.application(auth).test(.live) { client in
            let miguel: HTTPFields = [
                .authorization: "Bearer \(tokens.access.value)", .contentType: "application/json",
            ]
            try await client.execute(
                uri: "/notes", method: .post, headers: miguel, body: ByteBuffer(string: #""Buy milk""#)
            ) {
                #expect($0.status == .created)
            }
            try await client.execute(uri: "/notes", method: .delete, headers: miguel) {
                #expect($0.status == .unauthorized)
                #expect(String(buffer: $0.body).contains(#""code":"insufficient_user_authentication""#))
                #expect($0.headers[.wwwAuthenticate]?.contains(#"acr_values="aal2""#) == true)
                #expect($0.headers[.wwwAuthenticate]?.contains("max_age") == true)
            }
            try await client.execute(uri: "/notes", method: .get, headers: miguel) {
                #expect(String(buffer: $0.body) == #"["Buy milk"]"#)
            }
        }
    }

    private func basic(_ username: String) -> String {
        "Basic " + Data("\(username):python".utf8).base64EncodedString()
    }
}
