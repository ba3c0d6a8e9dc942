import Foundation
import PasswordHashing
import RESTAuth
import RESTAuthSQLite
import Support
import Testing

/// Users with foreign hashes can sign in, and get a hash of this server's own.
@Suite struct ForeignSignInTests {
    private func stored(_ test: TestAuth, _ name: String) async throws -> String {
        try #require(await test.storage.credentials(canonicalUsername: name)?.passwordHash)
    }

    @Test func aWrappedHashIsReplacedAtTheFirstSignIn() async throws {
        let test = try await TestAuth()
        // One of each form: verifying them is expensive, and other tests run meanwhile.
        let vectors = try ForeignHashVector.all().filter { vector in
            vector.password == "python" && vector.pepper == nil && vector.strength != "strong"
                && ["sha256$", "sha1$", "$apr1$", "{SSHA}", "{PBKDF2}", "AA"].contains(where: vector.hash.hasPrefix)
        }
        #expect(vectors.count > 8)
        for (number, vector) in vectors.enumerated() {
            let hash = try ForeignHash(vector.hash).stored(cost: .standard)
            _ = try await test.storage.insertUser(Username("user\(number)"), passwordHash: hash, at: test.clock.now)
            await test.expect(.invalidCredentials) {
                try await test.auth.login.identify("user\(number)", password: "Python")
            }
            #expect(try await stored(test, "user\(number)") == hash)
            _ = try await test.auth.login.identify("user\(number)", password: "python")
            #expect(
                try await stored(test, "user\(number)").hasPrefix("$argon2id$v=19$m=19456,t=2,p=1$"), "\(vector.hash)")
            _ = try await test.auth.login.identify("user\(number)", password: "python")
        }
    }

    @Test func aPepperIsNeededUntilTheFirstSignInAndNotAfter() async throws {
        let vectors = try ForeignHashVector.all().filter { $0.password == "pässwörd" && $0.pepper != nil }
        #expect(vectors.count == 5)
        let known = try #require(try vectors[0].peppers()?.pepper)
        let secret = InstanceSecret()
        let with = try await TestAuth(over: SQLiteStorage(), secret: secret) { $0.passwordPepper = known }
        let without = try await TestAuth(over: with.storage, secret: secret)
        for (number, vector) in vectors.enumerated() {
            let use = try #require(try vector.peppers()?.use)
            let hash = try ForeignHash(vector.hash).stored(cost: .standard, pepper: use)
            #expect(!hash.contains(vector.pepper ?? ""))
            _ = try await with.storage.insertUser(Username("user\(number)"), passwordHash: hash, at: with.clock.now)
        }
        #expect(try await without.auth.missingPeppers().map(\.users).reduce(0, +) == 5)
        #expect(try await with.auth.missingPeppers().isEmpty)
        for number in vectors.indices {
            let name = "user\(number)"
            await without.expect(.invalidCredentials) {
                try await without.auth.login.identify(name, password: "pässwörd")
            }
            await with.expect(.invalidCredentials) { try await with.auth.login.identify(name, password: "pässwörd ") }
            _ = try await with.auth.login.identify(name, password: "pässwörd")
            _ = try await without.auth.login.identify(name, password: "pässwörd")
        }
        #expect(try await without.auth.missingPeppers().isEmpty)
    }

    @Test func aNameThatNobodyHasGetsTheKindsThatUsersHave() async throws {
        let vectors = try ForeignHashVector.all().filter { $0.password == "python" }
        let peppered = try #require(vectors.first { $0.construction == "suffix" })
        let weak = try #require(vectors.first { $0.hash.hasPrefix("sha1$") })
        let peppers = try #require(try peppered.peppers())
        let test = try await TestAuth(over: SQLiteStorage(), secret: InstanceSecret()) {
            $0.passwordPepper = peppers.pepper
        }
        for (number, hash) in [
            try ForeignHash(weak.hash).stored(cost: .standard),
            try ForeignHash(peppered.hash).stored(cost: .standard, pepper: peppers.use),
        ].enumerated() {
            _ = try await test.storage.insertUser(Username("user\(number)"), passwordHash: hash, at: test.clock.now)
        }
        try await test.auth.passwords.decoys.update()
        let kinds = try Set((0..<100).map { test.auth.passwords.decoys.hash(for: try Username("nobody\($0)")).scheme })
        #expect(kinds == [.wrapped, .bcrypt])
        for number in 0..<20 {
            await test.expect(.invalidCredentials) {
                try await test.auth.login.identify("nobody\(number)", password: "python")
            }
        }
    }

    /// A hash whose pepper is missing cannot be verified, so it is not used as a decoy for unknown
    /// names.
    @Test func whoseHashNeedsAnotherPepperIsNoDecoy() async throws {
        let vector = try #require(ForeignHashVector.all().first { $0.construction == "suffix" })
        let test = try await TestAuth()
        let hash = try ForeignHash(vector.hash).stored(cost: .standard, pepper: vector.peppers()?.use)
        _ = try await test.storage.insertUser(Username("miguel"), passwordHash: hash, at: test.clock.now)
        try await test.auth.passwords.decoys.update()
        #expect(test.auth.passwords.decoys.hash(for: try Username("nobody")).isAsCostly(as: .standard))
    }
}
