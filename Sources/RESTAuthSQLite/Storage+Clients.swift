import Foundation
import GRDB
public import RESTAuth

extension SQLiteStorage {
    public func insertClient(_ client: Client, secretDigest: [UInt8], recording event: AuthEvent) async throws {
        try await write { database in
            do {
                try database.run(
                    "INSERT INTO clients (id, secret_digest, created_at) VALUES (?, ?, ?)",
                    [client.id, Data(secretDigest), client.createdAt.timeIntervalSince1970])
                try database.append(event)
            } catch let error as DatabaseError where error.resultCode == .SQLITE_CONSTRAINT {
                throw AuthError(.clientAlreadyExists, "there is a client \(client.id) already", field: "client_id")
            }
        }
    }

    public func clientSecretDigest(id: String) async throws -> [UInt8]? {
        try read {
            try $0.row("SELECT secret_digest FROM clients WHERE id = ?", [id]) { try $0["secret_digest"] }
        }
    }

    public func clients() async throws -> [Client] {
        try read { database in
            try database.rows("SELECT id, created_at FROM clients ORDER BY id") { row in
                try Client(id: row["id"], createdAt: row["created_at"])
            }
        }
    }

    public func replaceClientSecretDigest(id: String, _ digest: [UInt8], with other: [UInt8]) async throws -> Bool {
        try await write { database in
            try database.run(
                "UPDATE clients SET secret_digest = ? WHERE id = ? AND secret_digest = ?",
                [Data(other), id, Data(digest)])
            return database.changesCount == 1
        }
    }

    public func clients(notMarked mark: [UInt8]) async throws -> [String] {
        try read { database in
            try database.rows(
                "SELECT id FROM clients WHERE \(Self.isUnmarked("secret_digest")) ORDER BY id", ["mark": Data(mark)]
            ) { try $0["id"] }
        }
    }

    public func deleteClient(id: String, recording event: AuthEvent) async throws -> Bool {
        try await write { database in
            try database.run("DELETE FROM clients WHERE id = ?", [id])
            return try database.recordChange(event)
        }
    }
}
