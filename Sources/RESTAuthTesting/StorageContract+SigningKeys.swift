import Foundation
import RESTAuth
import Testing

extension SigningKeysRoom: PromisedRoom {
    static let chapters: [StorageContract.Chapter] = [.signingKeys]
}

extension StorageContract.Chapter {
    /// Signing keys, each of which follows another one.
    public static let signingKeys = Self("signing keys", StorageContract.signingKeys)
}

extension StorageContract {
    static let signingKeys = [
        Promise("there is no signing key at first") { storage async throws in
            #expect(try await storage.signingKeys().isEmpty)
        },
        Promise("signing keys come back unchanged, in the order in which they sign") { storage async throws in
            let clock = TestClock()
            let first = Samples.signingKey("b", at: clock.now)
            clock.advance(by: 60)
            let second = Samples.signingKey("a", at: clock.now, follows: "b")
            #expect(try await storage.insertSigningKey(first))
            #expect(try await storage.insertSigningKey(second))
            #expect(try await storage.signingKeys() == [first, second])
        },
        Promise("of twenty keys that follow the same one, one is kept") { storage async throws in
            let now = TestClock().now
            for predecessor in ["", "first"] {
                let kept = try await withThrowingTaskGroup(of: Bool.self) { group in
                    for number in 0..<20 {
                        group.addTask {
                            try await storage.insertSigningKey(
                                Samples.signingKey(predecessor + "key \(number)", at: now, follows: predecessor))
                        }
                    }
                    return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
                }
                #expect(kept == 1)
            }
            #expect(try await storage.signingKeys().count == 2)
        },
        Promise("a key is brought forward, never put off") { storage async throws in
            let now = TestClock().now
            _ = try await storage.insertSigningKey(Samples.signingKey("a", at: now))
            try await storage.hastenSigningKey(id: "a", to: now.addingTimeInterval(60))
            #expect(try await storage.signingKeys().map(\.signsFrom) == [now])
            try await storage.hastenSigningKey(id: "a", to: now.addingTimeInterval(-60))
            try await storage.hastenSigningKey(id: "b", to: now.addingTimeInterval(-60))
            #expect(try await storage.signingKeys().map(\.signsFrom) == [now.addingTimeInterval(-60)])
        },
        Promise("the position of a deleted key can be taken by another") { storage async throws in
            let now = TestClock().now
            _ = try await storage.insertSigningKey(Samples.signingKey("a", at: now))
            _ = try await storage.insertSigningKey(Samples.signingKey("b", at: now, follows: "a"))
            #expect(try await !storage.deleteSigningKey(id: "c"))
            #expect(try await storage.deleteSigningKey(id: "b"))
            #expect(try await !storage.deleteSigningKey(id: "b"))
            #expect(try await storage.insertSigningKey(Samples.signingKey("c", at: now, follows: "a")))
            #expect(try await storage.signingKeys().map(\.id) == ["a", "c"])
        },
        Promise("a key goes once its successor has signed long enough, the newest never") { storage async throws in
            let clock = TestClock()
            var last = ""
            for id in ["a", "b", "c"] {
                _ = try await storage.insertSigningKey(Samples.signingKey(id, at: clock.now, follows: last))
                last = id
                clock.advance(by: 60)
            }
            let started = clock.now.addingTimeInterval(-120)  // when "b" began to sign
            try await storage.deleteSigningKeys(replacedBefore: started)
            #expect(try await storage.signingKeys().map(\.id) == ["a", "b", "c"])
            try await storage.deleteSigningKeys(replacedBefore: started.addingTimeInterval(1))
            #expect(try await storage.signingKeys().map(\.id) == ["b", "c"])
            try await storage.deleteSigningKeys(replacedBefore: clock.now.addingTimeInterval(1_000_000))
            #expect(try await storage.signingKeys().map(\.id) == ["c"])
        },
        Promise("a key is sealed anew only where it is as given") { storage async throws in
            let key = Samples.signingKey("a", at: TestClock().now)
            _ = try await storage.insertSigningKey(key)
            #expect(try await !storage.replaceSealedSigningKey(id: "a", [7], with: [8]))
            #expect(try await !storage.replaceSealedSigningKey(id: "b", key.sealed, with: [8]))
            #expect(try await storage.signingKeys() == [key])
            #expect(try await storage.replaceSealedSigningKey(id: "a", key.sealed, with: [8]))
            #expect(try await !storage.replaceSealedSigningKey(id: "a", key.sealed, with: [9]))
            #expect(try await storage.signingKeys().map(\.sealed) == [[8]])
        },
    ]
}
