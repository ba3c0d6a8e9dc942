import Foundation
import RESTAuth
import Testing

extension PersonalTokensRoom: PromisedRoom {
    static let chapters: [StorageContract.Chapter] = [.programTokens]
}

extension StorageContract.Chapter {
    /// Tokens for programs, of users and of service accounts.
    public static let programTokens = Self("tokens for programs", StorageContract.programTokens)
}

extension StorageContract {
    fileprivate static let now = TestClock().now
    fileprivate static let mark: [UInt8] = [1, 2, 3, 4]

    fileprivate static let programTokens = [
        Promise("a token comes back as it was stored, in the order of creation, to its holder only") {
            storage async throws in
            let (one, other) = try await (newUser("a", storage), newUser("b", storage))
            let service = try await newService("ci", storage)
            let second = token(2, of: .user(one), name: "'; -- ü李😀", scopes: ["b", "a"], at: now + 1, lifetime: nil)
            let first = token(1, of: .user(one), scopes: ["operator:read"], at: now)
            let third = token(3, of: .service(service), at: now)
            for new in [second, first, third] { #expect(try await insert(new, storage) == .inserted) }
            #expect(try await storage.programTokens(of: .user(one)) == [first, second])
            #expect(try await storage.programTokens(of: .service(service)) == [third])
            #expect(try await storage.programTokens(of: .user(other)).isEmpty)
            #expect(try await storage.programTokens(of: .service("c")).isEmpty)
            let found = try #require(try await storage.programToken(digests: [[9], digest(2)]))
            #expect(found.token == second && found.digest == digest(2))
            #expect(found.owner?.id == one && found.owner?.isDisabled == false)
            let ofService = try #require(try await storage.programToken(digests: [digest(3)]))
            #expect(ofService.token == third && ofService.owner == nil)
            #expect(try await storage.programToken(digests: [[], [2], digest(2) + [0]]) == nil)
            #expect(try await count("token.created", storage) == 3)
        },
        Promise("a user's token is found with the user as of now") { storage async throws in
            let user = try await newUser("a", storage)
            #expect(try await insert(token(1, of: .user(user)), storage) == .inserted)
            _ = try await storage.grantRole("auditor", user: user, at: now)
            #expect(try await storage.programToken(digests: [digest(1)])?.owner?.roles == ["auditor"])
            _ = try await storage.disableUser(id: user, at: now)
            #expect(try await storage.programToken(digests: [digest(1)])?.owner?.isDisabled == true)
        },
        Promise("no token is stored for a user who is gone or disabled, and none for an unknown account") {
            storage async throws in
            let user = try await newUser("a", storage)
            _ = try await storage.disableUser(id: user, at: now)
            for holder in [.user(user), .user(user + 1), .service("ci"), .service("")] as [ProgramToken.Holder] {
                #expect(try await insert(token(1, of: holder), storage) == .noHolder)
            }
            #expect(try await storage.programToken(digests: [digest(1)]) == nil)
            #expect(try await count("token.created", storage) == 0)
        },
        Promise("a digest is one token's, and a name has its length") { storage async throws in
            let user = try await newUser("a", storage)
            #expect(try await insert(token(1, of: .user(user)), storage) == .inserted)
            await #expect(throws: (any Error).self) {
                try await insert(token(2, of: .user(user)), digest: digest(1), storage)
            }
            for name in ["", String(repeating: "x", count: 65)] {
                await #expect(throws: (any Error).self) {
                    try await insert(token(3, of: .user(user), name: name), storage)
                }
            }
            #expect(try await storage.programTokens(of: .user(user)).count == 1)
            #expect(try await count("token.created", storage) == 1)
        },
        Promise("of fifty tokens that are stored at once the limit are, for a user and for an account") {
            storage async throws in
            let user = try await newUser("a", storage)
            let service = try await newService("ci", storage)
            for (base, holder) in [(0, .user(user)), (100, .service(service))] as [(Int, ProgramToken.Holder)] {
                let outcomes = try await withThrowingTaskGroup(of: ProgramTokenInsertion.self) { group in
                    for number in 1...50 {
                        let token = token(base + number, of: holder)
                        group.addTask { try await insert(token, limit: 7, storage) }
                    }
                    return try await group.reduce(into: []) { $0.append($1) }
                }
                #expect(outcomes.count { $0 == .inserted } == 7)
                #expect(outcomes.count { $0 == .limitReached } == 43)
                #expect(try await storage.programTokens(of: holder).count == 7)
            }
            #expect(try await count("token.created", storage) == 14)
        },
        Promise("expired tokens do not count against the limit, and the oldest of many go") { storage async throws in
            let user = try await newUser("a", storage)
            for number in 1...55 {
                let token = token(number, of: .user(user), at: now + TimeInterval(number), lifetime: 60)
                #expect(try await insert(token, limit: 60, storage) == .inserted)
            }
            let later = now + 1000
            #expect(try await insert(token(60, of: .user(user), at: later), limit: 1, storage) == .inserted)
            #expect(try await insert(token(61, of: .user(user), at: later), limit: 1, storage) == .limitReached)
            let names = try await storage.programTokens(of: .user(user)).map(\.name)
            #expect(names == (6...55).map { "token \($0)" } + ["token 60"])
            #expect(try await !storage.programTokens(of: .user(user)).contains { $0.id == id(5) })
        },
        Promise("a use is noted once a minute, and never goes back") { storage async throws in
            let user = try await newUser("a", storage)
            #expect(try await insert(token(1, of: .user(user)), storage) == .inserted)
            func use(at seconds: TimeInterval) async throws -> Bool {
                try await storage.useProgramToken(
                    id: id(1), at: now + seconds, unlessUsedAfter: now + seconds - 60, replacing: digest(1),
                    with: digest(1))
            }
            func lastUsedAt() async throws -> Date? {
                try await storage.programTokens(of: .user(user)).first?.lastUsedAt
            }
            #expect(try await lastUsedAt() == nil)
            #expect(try await use(at: 100))
            #expect(try await !use(at: 100))
            #expect(try await !use(at: 159))
            #expect(try await !use(at: 30))
            #expect(try await lastUsedAt() == now + 100)
            #expect(try await use(at: 160))
            #expect(try await lastUsedAt() == now + 160)
            let noted = try await withThrowingTaskGroup(of: Bool.self) { group in
                for _ in 0..<10 { group.addTask { try await use(at: 400) } }
                return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(noted == 1)
        },
        Promise("a digest is replaced at a use, only where it is as given") { storage async throws in
            let user = try await newUser("a", storage)
            #expect(try await insert(token(1, of: .user(user)), storage) == .inserted)
            func use(_ old: [UInt8], _ new: [UInt8]) async throws -> Bool {
                try await storage.useProgramToken(
                    id: id(1), at: now, unlessUsedAfter: now - 60, replacing: old, with: new)
            }
            #expect(try await !use(digest(2), digest(3)))
            #expect(try await use(digest(1), digest(1)))
            // Used just now, and replaced all the same.
            #expect(try await use(digest(1), mark + digest(1)))
            #expect(try await !use(digest(1), mark + digest(1)))
            #expect(try await !use(mark + digest(1), mark + digest(1)))
            #expect(try await storage.programToken(digests: [digest(1)]) == nil)
            #expect(try await storage.programToken(digests: [mark + digest(1)])?.token.id == id(1))
        },
        Promise("a rotated token has the name, the scopes and the lifetime of the one before, which ends sooner") {
            storage async throws in
            let user = try await newUser("a", storage)
            let before = token(1, of: .user(user), scopes: ["b", "a"], lifetime: 1000)
            let unlimited = token(2, of: .user(user), lifetime: nil)
            for new in [before, unlimited] { #expect(try await insert(new, storage) == .inserted) }
            let outcome = try await rotate(1, to: 3, of: .user(user), at: now + 100, overlap: 50, storage)
            let expected = StoredProgramToken(
                id: id(3), holder: .user(user), name: before.name, scopes: ["a", "b"], lastFour: "new3",
                createdAt: now + 100, lifetime: 1000, expiresAt: now + 1100)
            #expect(outcome == .rotated(expected, previousExpiresAt: now + 150, revocation: nil))
            let tokens = try await storage.programTokens(of: .user(user))
            #expect(tokens.first { $0.id == id(1) }?.expiresAt == now + 150)
            #expect(tokens.first { $0.id == id(1) }?.lifetime == 1000)
            #expect(tokens.map(\.rotatedAt) == [now + 100, nil, nil])
            let again = try await rotate(1, to: 4, of: .user(user), at: now + 110, overlap: 500, storage)
            #expect(again == .rotatedBefore)
            #expect(try await storage.programTokens(of: .user(user)).first { $0.id == id(1) }?.expiresAt == now + 150)
            // Its expiry is never put off.
            let late = try await rotate(3, to: 6, of: .user(user), at: now + 200, lifetime: 7, overlap: 5000, storage)
            guard case .rotated(let sixth, let end, nil) = late else {
                Issue.record("the successor was not rotated: \(late)")
                return
            }
            #expect(end == now + 1100 && sixth.lifetime == 7 && sixth.expiresAt == now + 207)
            let last = try await rotate(2, to: 5, of: .user(user), lifetime: nil, storage)
            guard case .rotated(let endless, _, nil) = last else {
                Issue.record("a token without expiry was not rotated")
                return
            }
            #expect(endless.expiresAt == nil && endless.lifetime == nil)
            #expect(try await count("token.rotated", storage) == 3)
            #expect(try await storage.lastRevocationNumber() == 0)
        },
        Promise("a token that is rotated without an overlap is refused at once") { storage async throws in
            let service = try await newService("ci", storage)
            #expect(try await insert(token(1, of: .service(service)), storage) == .inserted)
            let outcome = try await rotate(1, to: 2, of: .service(service), at: now + 5, overlap: 0, storage)
            guard case .rotated(_, let end, let line?) = outcome else {
                Issue.record("it was not rotated and refused: \(outcome)")
                return
            }
            #expect(end == now + 5 && line.subject == .session(id(1)) && line.isRefused)
            #expect(line.expiresAt == Revocation.expiry(at: now + 5, tokensUntil: now + 65))
            #expect(try await storage.revocations(after: 0, limit: 10) == [line])
        },
        Promise("an expired token, an unknown one and that of another are not rotated") { storage async throws in
            let (user, other) = try await (newUser("a", storage), newUser("b", storage))
            let service = try await newService("ci", storage)
            #expect(try await insert(token(1, of: .user(user), lifetime: 60), storage) == .inserted)
            #expect(try await rotate(1, to: 2, of: .user(user), at: now + 60, storage) == .expired)
            #expect(try await rotate(9, to: 2, of: .user(user), storage) == .notFound)
            #expect(try await rotate(1, to: 2, of: .user(other), storage) == .notFound)
            #expect(try await rotate(1, to: 2, of: .service(service), storage) == .notFound)
            #expect(try await rotate(1, to: 2, of: .service("b"), storage) == .notFound)
            #expect(try await rotate(1, to: 2, of: .user(user), limit: 1, storage) == .limitReached)
            _ = try await storage.disableUser(id: user, at: now)
            #expect(try await rotate(1, to: 2, of: .user(user), storage) == .notFound)
            #expect(try await storage.programTokens(of: .user(user)).map(\.expiresAt) == [now + 60])
            #expect(try await count("token.rotated", storage) == 0)
        },
        Promise("rotations that come at once keep to the limit") { storage async throws in
            let user = try await newUser("a", storage)
            for number in 1...5 { #expect(try await insert(token(number, of: .user(user)), storage) == .inserted) }
            let outcomes = try await withThrowingTaskGroup(of: ProgramTokenRotation.self) { group in
                for number in 1...5 {
                    group.addTask { try await rotate(number, to: number + 10, of: .user(user), limit: 8, storage) }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(outcomes.count { if case .rotated = $0 { true } else { false } } == 3)
            #expect(outcomes.count { $0 == .limitReached } == 2)
            #expect(try await storage.programTokens(of: .user(user)).count == 8)
        },
        Promise("of many rotations of a token one is made") { storage async throws in
            let user = try await newUser("a", storage)
            #expect(try await insert(token(1, of: .user(user)), storage) == .inserted)
            let outcomes = try await withThrowingTaskGroup(of: ProgramTokenRotation.self) { group in
                for number in 2...9 { group.addTask { try await rotate(1, to: number, of: .user(user), storage) } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(outcomes.count { if case .rotated = $0 { true } else { false } } == 1)
            #expect(outcomes.count { $0 == .rotatedBefore } == 7)
            #expect(try await count("token.rotated", storage) == 1)
        },
        Promise("a token is deleted once, by its holder, with an entry of the revocation log") {
            storage async throws in
            let (user, other) = try await (newUser("a", storage), newUser("b", storage))
            #expect(try await insert(token(1, of: .user(user)), storage) == .inserted)
            #expect(try await delete(1, of: .user(other), storage) == nil)
            #expect(try await delete(1, of: .service("a"), storage) == nil)
            #expect(try await delete(2, of: .user(user), storage) == nil)
            #expect(try await storage.lastRevocationNumber() == 0)
            let line = try #require(try await delete(1, of: .user(user), storage))
            #expect(line.subject == .session(id(1)) && line.isRefused && line.at == now)
            #expect(line.expiresAt == Revocation.expiry(at: now, tokensUntil: now + 60))
            #expect(try await storage.revocations(after: 0, limit: 10) == [line])
            #expect(try await delete(1, of: .user(user), storage) == nil)
            #expect(try await storage.programToken(digests: [digest(1)]) == nil)
            #expect(try await count("token.deleted", storage) == 1)
        },
        Promise("a token that is deleted while it is rotated has a successor, or has not: never half of it") {
            storage async throws in
            let user = try await newUser("a", storage)
            for round in 0..<10 {
                let (old, new) = (2 * round + 1, 2 * round + 2)
                #expect(try await insert(token(old, of: .user(user)), storage) == .inserted)
                async let deletion = delete(old, of: .user(user), storage)
                async let rotation = rotate(old, to: new, of: .user(user), storage)
                let (line, outcome) = try await (deletion, rotation)
                #expect(line != nil)
                let isRotated = if case .rotated = outcome { true } else { false }
                #expect(isRotated || outcome == .notFound)
                #expect(try await storage.programToken(digests: [digest(old)]) == nil)
                #expect(try await (storage.programToken(digests: [digest(new)]) != nil) == isRotated)
                if isRotated { #expect(try await delete(new, of: .user(user), storage) != nil) }
            }
        },
        Promise("tokens go with their user") { storage async throws in
            let user = try await newUser("a", storage)
            #expect(try await insert(token(1, of: .user(user)), storage) == .inserted)
            _ = try await storage.deleteUser(id: user, at: now)
            #expect(try await storage.programToken(digests: [digest(1)]) == nil)
            #expect(try await storage.programTokens(of: .user(user)).isEmpty)
        },
        Promise("live tokens are counted and listed by the mark of their digests") { storage async throws in
            let user = try await newUser("a", storage)
            let plain = Array(repeating: UInt8(9), count: 32)
            let digests = [plain, mark + plain, mark + plain.dropFirst(4), []]
            for (number, digest) in digests.enumerated() {
                #expect(try await insert(token(number, of: .user(user)), digest: digest, storage) == .inserted)
            }
            let expired = token(8, of: .user(user), lifetime: 60)
            #expect(try await insert(expired, storage) == .inserted)
            let endless = token(10, of: .user(user), lifetime: nil)
            #expect(try await insert(endless, storage) == .inserted)
            let counts = try await storage.countProgramTokens(notMarked: mark, at: now + 60)
            #expect(counts == (5, 4))
            let listed = try await storage.programTokens(notMarked: mark, at: now + 60, limit: 10)
            #expect(listed.map(\.id) == [id(0), id(2), id(3), id(10)])
            #expect(try await storage.programTokens(notMarked: mark, at: now + 60, limit: 1).map(\.id) == [id(0)])
            #expect(try await storage.countProgramTokens(notMarked: [9, 9, 9, 9], at: now) == (6, 6))
        },
        Promise("tokens that expired long ago are deleted, a limited number at a time") { storage async throws in
            let user = try await newUser("a", storage)
            for number in 1...4 {
                let token = token(number, of: .user(user), lifetime: number == 4 ? nil : 60 * number)
                #expect(try await insert(token, storage) == .inserted)
            }
            #expect(try await storage.deleteProgramTokens(expiredBefore: now + 60, limit: 10) == 0)
            #expect(try await storage.deleteProgramTokens(expiredBefore: now + 121, limit: 1) == 1)
            #expect(try await storage.deleteProgramTokens(expiredBefore: now + 121, limit: 10) == 1)
            #expect(try await storage.programTokens(of: .user(user)).map(\.id) == [id(3), id(4)])
            #expect(try await storage.lastRevocationNumber() == 0)
        },
    ]

    // MARK: - Samples

    fileprivate static func id(_ number: Int) -> ProgramToken.ID { Samples.session(number, at: now).id }

    fileprivate static func digest(_ number: Int) -> [UInt8] {
        [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: 32)
    }

    private static func newUser(_ name: String, _ storage: any Storage) async throws -> User.ID {
        try await storage.insertUser(Username(name), passwordHash: "h", at: now).id
    }

    private static func newService(_ id: ServiceAccount.ID, _ storage: any Storage) async throws -> ServiceAccount.ID {
        try await storage.insertServiceAccount(
            ServiceAccount(id: id, ownerID: nil, note: nil, createdAt: now),
            recording: Samples.event(.serviceAccountAdded, at: now))
        return id
    }

    fileprivate static func token(
        _ number: Int, of holder: ProgramToken.Holder, name: String? = nil, scopes: Set<String> = ["a"],
        at date: Date = StorageContract.now, lifetime: Int? = 90 * 86400
    ) -> StoredProgramToken {
        StoredProgramToken(
            id: id(number), holder: holder, name: name ?? "token \(number)", scopes: scopes, lastFour: "aB0z",
            createdAt: date, lifetime: lifetime, expiresAt: lifetime.map { date + TimeInterval($0) })
    }

    @discardableResult
    private static func insert(
        _ token: StoredProgramToken, digest: [UInt8]? = nil, limit: Int = 50, _ storage: any Storage
    ) async throws -> ProgramTokenInsertion {
        let number = token.id.bytes.last.map { ($0 >> 4) * 10 + ($0 & 15) } ?? 0
        return try await storage.insertProgramToken(
            token, digest: digest ?? Self.digest(Int(number) + hundreds(of: token.id)), limit: limit,
            recording: Samples.event(.tokenCreated, user: token.holder.user, at: token.createdAt))
    }

    /// The hundreds of a number in decimal digits, as in the ids of samples.
    private static func hundreds(of id: ProgramToken.ID) -> Int {
        Int(id.bytes.dropLast().last.map { $0 & 15 } ?? 0) * 100
    }

    fileprivate static func rotate(
        _ number: Int, to new: Int, of holder: ProgramToken.Holder, at date: Date = StorageContract.now,
        lifetime: Int? = 1000, overlap: TimeInterval = 86400, limit: Int = 100, _ storage: any Storage
    ) async throws -> ProgramTokenRotation {
        try await storage.rotateProgramToken(
            id: id(number), of: holder,
            to: ProgramTokenSuccessor(
                id: id(new), digest: digest(new), lastFour: "new\(new % 10)", createdAt: date, lifetime: lifetime),
            endingAt: date + overlap, limit: limit,
            recording: Samples.event(.tokenRotated, user: holder.user, at: date))
    }

    fileprivate static func delete(
        _ number: Int, of holder: ProgramToken.Holder, _ storage: any Storage
    ) async throws -> Revocation? {
        try await storage.deleteProgramToken(
            id: id(number), of: holder, at: now,
            recording: Samples.event(.tokenDeleted, user: holder.user, at: now))
    }

    private static func count(_ name: String, _ storage: any Storage) async throws -> Int {
        try await storage.events(after: 0, limit: 1000).filter { $0.fields.name == name }.count
    }
}
