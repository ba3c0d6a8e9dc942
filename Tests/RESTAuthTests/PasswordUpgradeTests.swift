import Foundation
import PasswordHashing
import RESTAuth
import RESTAuthSQLite
import RESTAuthTesting
import Support
import Testing

/// Users with hashes of other systems can sign in, and the hashes are replaced by this server's
/// own.
@Suite struct PasswordUpgradeTests {
    private func user(_ hash: String, _ test: TestAuth, named name: String = "miguel") async throws -> User {
        try await test.storage.insertUser(Username(name), passwordHash: hash, at: test.clock.now)
    }

    private func storedHash(_ test: TestAuth, of name: String = "miguel") async throws -> String {
        try #require(await test.storage.credentials(canonicalUsername: name)?.passwordHash)
    }

    @Test(arguments: PasswordHashVector.forms)
    func aHashIsReplacedAtTheFirstSignIn(form: String) async throws {
        let test = try await TestAuth()
        let vectors = try PasswordHashVector.small(form)
        try #require(!vectors.isEmpty)
        for (number, vector) in vectors.enumerated() {
            let name = "user\(number)"
            _ = try await user(vector.hash, test, named: name)
            // bcrypt ignores bytes after the 72nd.
            let isWhole = try #require(PasswordHash(vector.hash)).countsWhole(Array(vector.password.utf8))
            guard isWhole else {
                // The rest of what was typed can be anything, so it must not become part of a new
                // hash.
                for end in ["", "x"] { _ = try await test.auth.login.identify(name, password: vector.password + end) }
                #expect(try await storedHash(test, of: name) == vector.hash)
                continue
            }
            if !form.hasSuffix("bcrypt") || vector.password.utf8.count < 72 {
                await test.expect(.invalidCredentials) {
                    try await test.auth.login.identify(name, password: vector.password + "x")
                }
            }
            #expect(try await storedHash(test, of: name) == vector.hash)
            _ = try await test.auth.login.identify(name, password: vector.password)
            let replaced = try await storedHash(test, of: name)
            #expect(replaced.hasPrefix("$argon2id$v=19$m=19456,t=2,p=1$"), "\(vector.hash)")
            _ = try await test.auth.login.identify(name, password: vector.password)
            await test.expect(.invalidCredentials) {
                try await test.auth.login.identify(name, password: vector.password + "x")
            }
            #expect(try await storedHash(test, of: name) == replaced)
        }
    }

    @Test func aWrongPasswordReplacesNothing() async throws {
        let test = try await TestAuth()
        for vector in try PasswordHashVector.small("werkzeug_pbkdf2").prefix(3) {
            let name = "user\(vector.hash.hashValue.magnitude)"
            _ = try await user(vector.hash, test, named: name)
            for password in [vector.password + " ", vector.password.uppercased() + "1", "x", ""] {
                await test.expect(.invalidCredentials) { try await test.auth.login.identify(name, password: password) }
            }
            #expect(try await storedHash(test, of: name) == vector.hash)
        }
    }

    @Test func ownHashesBelowTodaysCostAreReplacedToo() async throws {
        let secret = InstanceSecret()
        let before = try await TestAuth(over: SQLiteStorage(), secret: secret)
        _ = try await before.auth.users.register("miguel", password: "python")
        let after = try await TestAuth(over: before.storage, secret: secret) {
            $0.passwordCost = Argon2id(memoryKiB: 20480, passes: 3) ?? .standard
        }
        _ = try await after.auth.login.identify("miguel", password: "python")
        let hash = try await storedHash(after)
        #expect(hash.hasPrefix("$argon2id$v=19$m=20480,t=3,p=1$"))
        // Never the other way round.
        _ = try await before.auth.login.identify("miguel", password: "python")
        #expect(try await storedHash(before) == hash)
    }

    @Test func nothingElseOfTheUserChanges() async throws {
        let test = try await TestAuth()
        let vector = try #require(PasswordHashVector.small("phpass").first)
        let user = try await user(vector.hash, test)
        let before = try await test.auth.login.identify("miguel", password: vector.password)
        // A user who signed in under the old hash stays signed in under the new one.
        _ = try await test.auth.sessions.start(for: before)
        #expect(try await test.storage.credentials(user: user.id)?.passwordVersion == 1)
        #expect(try await test.storage.revocations(after: 0, limit: 10).isEmpty)
    }

    @Test func aDisabledUserIsNotUpgraded() async throws {
        let test = try await TestAuth()
        let vector = try #require(PasswordHashVector.small("phpass").first)
        try await test.auth.users.disable(user(vector.hash, test).id)
        await test.expect(.invalidCredentials) {
            try await test.auth.login.identify("miguel", password: vector.password)
        }
        #expect(try await storedHash(test) == vector.hash)
    }

    @Test func aHashThatChangedMeanwhileIsLeftAlone() async throws {
        let test = try await TestAuth()
        let vector = try #require(PasswordHashVector.small("phpass").first)
        let user = try await user(vector.hash, test)
        let stored = try #require(await test.storage.credentials(user: user.id))
        try await test.auth.passwords.set("monty", for: user)
        let changed = try await storedHash(test)
        await test.auth.passwords.upgrade(vector.password, of: stored, by: .application)
        #expect(try await storedHash(test) == changed)
    }

    @Test func twentySignInsAtOnceAllSucceed() async throws {
        let test = try await TestAuth()
        let vector = try #require(PasswordHashVector.small("django_pbkdf2").first)
        _ = try await user(vector.hash, test)
        let succeeded = try await withThrowingTaskGroup(of: Bool.self) { group in
            for _ in 0..<20 {
                group.addTask {
                    let identity = try await test.auth.login.identify("miguel", password: vector.password)
                    return try await !test.auth.sessions.token(for: identity).value.isEmpty
                }
            }
            return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(succeeded == 20)
        #expect(try await storedHash(test).hasPrefix("$argon2id$"))
    }

    /// The other program hashed the bytes as typed, which are not the canonical ones here.
    @Test func whatWasTypedElsewhereIsTakenAsItWasTyped() async throws {
        let test = try await TestAuth()
        let decomposed = "pa\u{0308}sswo\u{0308}rd\u{00A0}1"
        let hash = try Argon2id.standard.hash(Array(decomposed.utf8))
        _ = try await user(hash, test)
        await test.expect(.invalidCredentials) { try await test.auth.login.identify("miguel", password: "pässwörd 1") }
        _ = try await test.auth.login.identify("miguel", password: decomposed)
        #expect(try await storedHash(test) != hash)
        // From now on every spelling of the password is accepted.
        _ = try await test.auth.login.identify("miguel", password: "pässwörd 1")
    }

    @Test(arguments: [
        "", "x", "!", "!unusable", "plain:python", "$6$", "md5$salt$5f4dcc3b5aa765d61d8327deb882cf99",
        "$argon2id$v=19$m=4194304,t=64,p=1$c29tZXNhbHRzb21lc2FsdA$Zz2pQtBgzTLzPDNeqxZMRfHaFTxcVqbgEvQCmV3XGY0",
        "pbkdf2:sha256:100000000$salt$" + String(repeating: "0", count: 64),
    ])
    func whatIsNoHashOrCostsTooMuchSignsNobodyIn(hash: String) async throws {
        let test = try await TestAuth()
        _ = try await user(hash, test)
        for password in ["python", "x", hash] where !password.isEmpty {
            await test.expect(.invalidCredentials) { try await test.auth.login.identify("miguel", password: password) }
        }
        // The hash `!` stands for no password.
        let stored = try await test.storage.credentials(canonicalUsername: "miguel")?.passwordHash
        #expect(stored == (hash == "!" ? nil : hash))
    }

    @Test func whoChangesAPasswordMayHaveAnImportedOne() async throws {
        let test = try await TestAuth()
        let vector = try #require(PasswordHashVector.small("bcrypt").first)
        let user = try await user(vector.hash, test)
        let identity = UserIdentity(
            userID: user.id, username: "miguel", roles: [],
            authentication: Authentication([.password], at: test.clock.now), presented: .password)
        await test.expect(.currentPasswordInvalid) {
            try await test.auth.passwords.change(from: "wrong", to: "monty", for: identity)
        }
        try await test.auth.passwords.change(from: vector.password, to: "monty", for: identity)
        _ = try await test.auth.login.identify("miguel", password: "monty")
    }
}

@Suite struct DecoysTests {
    private let names = (0..<2000).map { "nobody\($0)" }

    private func shapes(_ test: TestAuth) throws -> [String: Int] {
        try names.reduce(into: [:]) {
            $0[test.auth.passwords.decoys.hash(for: try Username($1)).shape, default: 0] += 1
        }
    }

    @Test func withoutUsersTheyAreOfTodaysCost() async throws {
        let test = try await TestAuth()
        let shapes = try shapes(test)
        #expect(shapes.count == 1)
        #expect(test.auth.passwords.decoys.hash(for: nil).isAsCostly(as: .standard))
    }

    @Test func unknownNamesHaveTheKindsThatUsersHave() async throws {
        let test = try await TestAuth()
        let foreign = try #require(PasswordHashVector.small("phpass").first).hash
        for number in 0..<40 {
            _ = try await test.storage.insertUser(
                Username("user\(number)"), passwordHash: number < 10 ? foreign : Samples.passwordHash,
                at: test.clock.now)
        }
        try await test.auth.passwords.decoys.update()
        let shapes = try shapes(test)
        let (foreignShape, ownShape) = (
            PasswordHash(foreign)?.shape ?? "", PasswordHash(Samples.passwordHash)?.shape ?? ""
        )
        #expect(Set(shapes.keys) == [foreignShape, ownShape])
        #expect((400...600).contains(shapes[foreignShape] ?? 0))
        #expect(test.auth.passwords.decoys.hash(for: nil).shape == ownShape)
    }

    @Test func aNameKeepsItsKindUntilTheKindDiesOut() async throws {
        let test = try await TestAuth()
        let foreign = try #require(PasswordHashVector.small("phpass").first).hash
        for number in 0..<50 {
            _ = try await test.storage.insertUser(Username("user\(number)"), passwordHash: foreign, at: test.clock.now)
        }
        try await test.auth.passwords.decoys.update()
        var last = try names.map { test.auth.passwords.decoys.hash(for: try Username($0)).scheme }
        #expect(Set(last) == [.phpass])
        for number in 0..<50 {
            _ = try await test.storage.upgradePasswordHash(
                Samples.passwordHash, user: User.ID(number + 1), replacing: foreign)
            guard number % 10 == 9 else { continue }
            try await test.auth.passwords.decoys.update()
            let next = try names.map { test.auth.passwords.decoys.hash(for: try Username($0)).scheme }
            #expect(!zip(last, next).contains { $0 == .argon2id && $1 == .phpass })
            last = next
        }
        #expect(Set(last) == [.argon2id])
    }

    /// A guess at an unknown name never matches a real user's password.
    @Test func noUsersPasswordFitsADecoy() async throws {
        let test = try await TestAuth()
        var passwords: [[UInt8]] = []
        for form in PasswordHashVector.forms {
            for vector in try PasswordHashVector.small(form).prefix(3) {
                passwords.append(Array(vector.password.utf8))
                _ = try await test.storage.insertUser(
                    Username("user\(passwords.count)"), passwordHash: vector.hash, at: test.clock.now)
            }
        }
        try await test.auth.passwords.decoys.update()
        var decoys: [String: PasswordHash] = [:]
        for name in names {
            let decoy = test.auth.passwords.decoys.hash(for: try Username(name))
            decoys[decoy.shape] = decoy
        }
        #expect(decoys.count > 10)
        for decoy in decoys.values {
            for password in Set(passwords) { #expect(try !decoy.verify(password), "\(decoy)") }
        }
    }

    @Test func whatCannotBeComputedIsNoDecoy() async throws {
        let test = try await TestAuth()
        for (number, hash) in ["!", "pbkdf2:sha256:100000000$salt$" + String(repeating: "0", count: 64)].enumerated() {
            _ = try await test.storage.insertUser(Username("user\(number)"), passwordHash: hash, at: test.clock.now)
        }
        try await test.auth.passwords.decoys.update()
        #expect(try shapes(test).count == 1)
        #expect(test.auth.passwords.decoys.hash(for: try Username("nobody")).isAsCostly(as: .standard))
    }
}
