import Foundation
import RESTAuth
import Testing

extension ServiceAccountsRoom: PromisedRoom {
    static let chapters: [StorageContract.Chapter] = [.serviceAccounts]
}

extension StorageContract.Chapter {
    /// Accounts of programs that act for themselves.
    public static let serviceAccounts = Self("service accounts", StorageContract.serviceAccounts)
}

extension StorageContract {
    fileprivate static let now = TestClock().now

    fileprivate static let serviceAccounts = [
        Promise("an account comes back as it was stored, until it is deleted") { storage async throws in
            let owner = try await storage.insertUser(Username("a"), passwordHash: "h", at: now).id
            let account = ServiceAccount(id: "ci", ownerID: owner, note: "'; -- ü李😀", createdAt: now)
            #expect(try await storage.serviceAccount(id: "ci") == nil)
            try await insert(account, storage)
            #expect(try await storage.serviceAccount(id: "ci") == account)
            #expect(try await storage.serviceAccount(id: "CI") == nil)
            #expect(try await storage.deleteServiceAccount(id: "CI", at: now, recording: removed) == nil)
            #expect(try await storage.deleteServiceAccount(id: "ci", at: now, recording: removed) == [])
            #expect(try await storage.deleteServiceAccount(id: "ci", at: now, recording: removed) == nil)
            #expect(try await storage.serviceAccount(id: "ci") == nil)
            let names = try await storage.events(after: 0, limit: 100).map(\.fields.name)
            #expect(names.count { $0 == "service_account.added" } == 1)
            #expect(names.count { $0 == "service_account.deleted" } == 1)
        },
        Promise("an id is taken, and the first account keeps it") { storage async throws in
            let first = ServiceAccount(id: "ci", ownerID: nil, note: "first", createdAt: now)
            try await insert(first, storage)
            let second = ServiceAccount(id: "ci", ownerID: nil, note: "second", createdAt: now)
            let error = await #expect(throws: AuthError.self) { try await insert(second, storage) }
            #expect(error?.code == .serviceAccountAlreadyExists)
            #expect(try await storage.serviceAccounts(after: nil, limit: 10) == [first])
        },
        Promise("an owner is a user, and its deletion leaves the account without one") { storage async throws in
            let error = await #expect(throws: AuthError.self) {
                try await insert(ServiceAccount(id: "ci", ownerID: 7, note: nil, createdAt: now), storage)
            }
            #expect(error?.code == .validationFailed && error?.field == "owner_id")
            #expect(try await storage.serviceAccount(id: "ci") == nil)
            let owner = try await storage.insertUser(Username("a"), passwordHash: "h", at: now).id
            try await insert(ServiceAccount(id: "ci", ownerID: owner, note: nil, createdAt: now), storage)
            _ = try await storage.deleteUser(id: owner, at: now)
            #expect(try await storage.serviceAccount(id: "ci")?.ownerID == .some(nil))
        },
        Promise("accounts are listed in the order of the bytes of their ids, page by page") { storage async throws in
            for id in ["b", "a-1", "a.1", "B", "a_1", "a1", "10"] {
                try await insert(ServiceAccount(id: id, ownerID: nil, note: nil, createdAt: now), storage)
            }
            let sorted = ["10", "B", "a-1", "a.1", "a1", "a_1", "b"]
            #expect(try await storage.serviceAccounts(after: nil, limit: 10).map(\.id) == sorted)
            #expect(try await storage.serviceAccounts(after: nil, limit: 2).map(\.id) == ["10", "B"])
            #expect(try await storage.serviceAccounts(after: "a-1", limit: 2).map(\.id) == ["a.1", "a1"])
            #expect(try await storage.serviceAccounts(after: "a0", limit: 1).map(\.id) == ["a1"])
            #expect(try await storage.serviceAccounts(after: "b", limit: 10).isEmpty)
        },
        Promise("with an account its tokens go, each with an entry of the revocation log") { storage async throws in
            for id in ["ci", "other"] {
                try await insert(ServiceAccount(id: id, ownerID: nil, note: nil, createdAt: now), storage)
            }
            for (number, holder) in [(1, "ci"), (2, "ci"), (3, "other")] {
                let token = StoredProgramToken(
                    id: Samples.session(number, at: now).id, holder: .service(holder), name: "x", scopes: ["a"],
                    lastFour: "aB0z", createdAt: now, lifetime: nil, expiresAt: nil)
                let insertion = try await storage.insertProgramToken(
                    token, digest: [UInt8(number)], limit: 10, recording: Samples.event(.tokenCreated, at: now))
                #expect(insertion == .inserted)
            }
            let lines = try #require(
                try await storage.deleteServiceAccount(id: "ci", at: now, recording: removed))
            let ids = Set([1, 2].map { Revocation.Subject.session(Samples.session($0, at: now).id) })
            #expect(Set(lines.map(\.subject)) == ids && lines.allSatisfy { $0.isRefused && $0.at == now })
            #expect(lines.allSatisfy { $0.expiresAt == Revocation.expiry(at: now, tokensUntil: now + 60) })
            #expect(try await Set(storage.revocations(after: 0, limit: 10)) == Set(lines))
            #expect(try await storage.programToken(digests: [[1], [2]]) == nil)
            #expect(try await storage.programToken(digests: [[3]]) != nil)
        },
        Promise("accounts, owners and tokens that go at once do not hold each other up") { storage async throws in
            for round in 0..<5 {
                let owner = try await storage.insertUser(Username("a\(round)"), passwordHash: "h", at: now).id
                let id = "ci\(round)"
                try await insert(ServiceAccount(id: id, ownerID: owner, note: nil, createdAt: now), storage)
                let token = StoredProgramToken(
                    id: Samples.session(round, at: now).id, holder: .service(id), name: "x", scopes: ["a"],
                    lastFour: "aB0z", createdAt: now, lifetime: nil, expiresAt: nil)
                _ = try await storage.insertProgramToken(
                    token, digest: [UInt8(round)], limit: 10, recording: Samples.event(.tokenCreated, at: now))
                async let user = storage.deleteUser(id: owner, at: now)
                async let account = storage.deleteServiceAccount(id: id, at: now, recording: removed)
                async let deleted = storage.deleteProgramToken(
                    id: token.id, of: .service(id), at: now, recording: Samples.event(.tokenDeleted, at: now))
                let (userEnd, accountEnd, tokenEnd) = try await (user, account, deleted)
                #expect(userEnd != nil && accountEnd != nil)
                #expect((accountEnd?.count ?? 0) + (tokenEnd == nil ? 0 : 1) == 1)
            }
        },
    ]

    private static let removed = Samples.event(.serviceAccountDeleted, at: now)

    private static func insert(_ account: ServiceAccount, _ storage: any Storage) async throws {
        try await storage.insertServiceAccount(account, recording: Samples.event(.serviceAccountAdded, at: now))
    }
}
