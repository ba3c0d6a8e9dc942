import RESTAuth
import Testing

extension StorageContract {
    static let signingKeys = [
        Promise("there is no signing key at first") { storage async throws in
            #expect(try await storage.signingKeys().isEmpty)
        },
        Promise("the first signing key comes back unchanged") { storage async throws in
            let key = Samples.signingKey(at: TestClock().now)
            try await storage.insertFirstSigningKey(key)
            #expect(try await storage.signingKeys() == [key])
        },
        Promise("of twenty racing first keys, one is kept") { storage async throws in
            let now = TestClock().now
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<20 {
                    group.addTask { try await storage.insertFirstSigningKey(Samples.signingKey("key \(number)", at: now)) }
                }
                try await group.waitForAll()
            }
            #expect(try await storage.signingKeys().count == 1)
        },
    ]
}
