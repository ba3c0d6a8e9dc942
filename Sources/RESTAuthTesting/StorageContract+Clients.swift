import RESTAuth
import Testing

extension ClientsRoom: PromisedRoom {
    static let chapters: [StorageContract.Chapter] = [.clients]
}

extension StorageContract.Chapter {
    /// Clients: other services that ask about tokens.
    public static let clients = Self("clients", StorageContract.clients)
}

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
        Promise("a digest is replaced only where it is as given, and found by its mark") { storage async throws in
            let now = TestClock().now
            let mark: [UInt8] = [1, 2, 3, 4]
            let plain = Array(repeating: UInt8(9), count: 32)
            for (id, digest) in [("a", plain), ("b", mark + plain), ("c", mark + plain.dropFirst(4)), ("d", [])] {
                try await storage.insertClient(Client(id: id, createdAt: now), secretDigest: digest)
            }
            #expect(try await storage.clients(notMarked: mark) == ["a", "c", "d"])
            #expect(try await !storage.replaceClientSecretDigest(id: "a", mark + plain, with: mark + plain))
            #expect(try await !storage.replaceClientSecretDigest(id: "e", plain, with: mark + plain))
            #expect(try await storage.replaceClientSecretDigest(id: "a", plain, with: mark + plain))
            #expect(try await !storage.replaceClientSecretDigest(id: "a", plain, with: plain))
            #expect(try await storage.clientSecretDigest(id: "a") == mark + plain)
            #expect(try await storage.clients(notMarked: mark) == ["c", "d"])
        },
    ]
}
