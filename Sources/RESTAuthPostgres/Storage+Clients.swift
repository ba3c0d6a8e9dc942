import Foundation
public import RESTAuth

extension PostgresStorage {
    public func insertClient(_ client: Client, secretDigest: [UInt8], recording event: AuthEvent) async throws {
        do {
            _ = try await write(
                Statement(
                    "INSERT INTO clients (id, secret_digest, created_at) VALUES ($1, $2, $3) RETURNING id",
                    [client.id, secretDigest, client.createdAt], recording: event))
        } catch let error as PostgresError where error.state == .uniqueViolation {
            throw AuthError(.clientAlreadyExists, "there is a client \(client.id) already", field: "client_id")
        }
    }

    public func clientSecretDigest(id: String) async throws -> [UInt8]? {
        try await read("SELECT secret_digest FROM clients WHERE id = $1", [id]).first?["secret_digest"]
    }

    public func clients() async throws -> [Client] {
        try await read("SELECT id, created_at FROM clients ORDER BY id").map { row in
            try Client(id: row["id"], createdAt: row["created_at"])
        }
    }

    public func replaceClientSecretDigest(id: String, _ digest: [UInt8], with other: [UInt8]) async throws -> Bool {
        try await write(
            Statement(
                "UPDATE clients SET secret_digest = $1 WHERE id = $2 AND secret_digest = $3", [other, id, digest])
        )[0].changedCount == 1
    }

    public func clients(notMarked mark: [UInt8]) async throws -> [String] {
        try await read(
            "SELECT id FROM clients WHERE \(Self.isUnmarked("secret_digest", mark: "$1")) ORDER BY id", [mark]
        ).map { try $0["id"] }
    }

    public func deleteClient(id: String, recording event: AuthEvent) async throws -> Bool {
        try await write(
            Statement("DELETE FROM clients WHERE id = $1 RETURNING id", [id], recording: event)
        )[0].count == 1
    }
}
