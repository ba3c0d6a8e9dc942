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

    private func basic(_ username: String) -> String {
        "Basic " + Data("\(username):python".utf8).base64EncodedString()
    }
}
