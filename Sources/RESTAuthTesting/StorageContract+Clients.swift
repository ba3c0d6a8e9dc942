import RESTAuth
import Testing

extension StorageContract {
    static let clients = [
        Promise("a client comes back with its digest, until it is deleted") { storage async throws in
            let client = Client(id: "gateway", createdAt: TestClock().now)
            #expect(try await storage.clientSecretDigest(id: "gateway") == nil)
            try await storage.insertClient(client, secretDigest: [1, 2, 3])
            #expect(try await storage.clientSecretDigest(id: "gateway") == [1, 2, 3])
            #expect(try await storage.clientSecretDigest(id: "GATEWAY") == nil)
            #expect(try await storage.clients() == [client])
            #expect(try await storage.deleteClient(id: "gateway"))
            #expect(try await !storage.deleteClient(id: "gateway"))
            #expect(try await storage.clientSecretDigest(id: "gateway") == nil)
        },
        Promise("a client's id is taken, and the first keeps its secret") { storage async throws in
            let client = Client(id: "gateway", createdAt: TestClock().now)
            try await storage.insertClient(client, secretDigest: [1])
            let error = await #expect(throws: AuthError.self) {
                try await storage.insertClient(client, secretDigest: [2])
            }
            #expect(error?.code == .clientAlreadyExists)
            #expect(try await storage.clientSecretDigest(id: "gateway") == [1])
        },
    ]
}
