import Crypto
import Foundation
import RESTAuth
import Support
import Testing

/// The rates of true and false positives of a filter, and files that are not filters.
@Suite struct PasswordFilterTests {
    private static func filter(of passwords: some Collection<String>, interval: Int = 1000) -> [UInt8] {
        var builder = PasswordFilter.Builder(capacity: passwords.count, falsePositiveInterval: interval)
        for password in passwords { builder.insert(.init(password: password.utf8)) }
        return builder.finish()
    }

    @Test func whatIsInItIsFoundAndOfTheRestNoMoreThanStated() throws {
        let (count, others) = (Soak.count(20_000, soak: 100_000), Soak.count(200_000, soak: 1_000_000))
        let filter = try PasswordFilter(Data(Self.filter(of: (0..<count).map { "in \($0)" })))
        #expect((0..<count).allSatisfy { filter.contains(.init(password: Array("in \($0)".utf8))) })
        let mistaken = (0..<others).count { filter.contains(.init(password: Array("out \($0)".utf8))) }
        // The expected rate is one in 1024. The passwords are the same in each run.
        #expect((others / 10_000 * 7...others / 10_000 * 13).contains(mistaken))
        #expect(filter.falsePositiveInterval == 1000)
        #expect(filter.count == count)
    }

    @Test(arguments: [2, 10, 100, 65536])
    func anotherRateIsKeptToo(interval: Int) throws {
        let filter = try PasswordFilter(Data(Self.filter(of: (0..<2000).map { "in \($0)" }, interval: interval)))
        #expect((0..<2000).allSatisfy { filter.contains(.init(password: Array("in \($0)".utf8))) })
        let others = Soak.count(10_000, soak: 50_000)
        let mistaken = (0..<others).count { filter.contains(.init(password: Array("out \($0)".utf8))) }
        #expect(mistaken <= others / interval * 6 / 5 + 5)
    }

    /// The expected bytes come from a short program in another language, written from the type's
    /// documentation.
    @Test func theFormIsTheDocumentedOne() throws {
        let bytes = Self.filter(of: ["letmein", "python", "pa\u{e4}ss"])
        let hex = bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
        #expect(
            hex == "524146494c544552010000000a00000003000000000000004000000000000000e803000000000000"
                + "23c1c7dcfcc34767760db695c3dfeebdcc0e70faf1b9148807c6584e0e9ac668a2a0018314acfd2d")
    }

    @Test func aPasswordIsFoundByItsDigestToo() throws {
        let filter = try PasswordFilter(Data(Self.filter(of: ["python"])))
        let digest = Array(Insecure.SHA1.hash(data: Array("python".utf8)))
        #expect(digest.withUnsafeBytes { filter.contains(.init(digest: $0)) })
        #expect(!filter.contains(.init(password: Array("ruby".utf8))))
    }

    @Test func anEmptyOneHasNothing() throws {
        let filter = try PasswordFilter(Data(Self.filter(of: [String]())))
        #expect(!filter.contains(.init(password: Array("python".utf8))))
    }

    @Test func aByteThatChangedIsNoticedWhereverItIs() throws {
        let good = Self.filter(of: ["letmein", "python"])
        for index in good.indices {
            var bytes = good
            bytes[index] ^= 1
            #expect(throws: PasswordFilter.Flaw.self, "byte \(index)") {
                try PasswordFilter(Data(bytes)).checkContents()
            }
        }
        try PasswordFilter(Data(good)).checkContents()
    }

    @Test func aLengthThatChangedIsNoticedWithoutReadingAll() throws {
        let good = Self.filter(of: (0..<100).map { "in \($0)" })
        for length in [0, 1, 8, 71, 72, good.count - 1] {
            #expect(throws: PasswordFilter.Flaw.self, "\(length) bytes") {
                try PasswordFilter(Data(good.prefix(length)))
            }
        }
        #expect(throws: PasswordFilter.Flaw.self) { try PasswordFilter(Data(good + [0])) }
    }
}

/// The list as a file, and the passwords that the policy refuses because of it.
@Suite struct BreachedPasswordsTests {
    private let directory: TemporaryDirectory
    private var path: String { directory.path + "/breached.filter" }

    init() throws {
        directory = try TemporaryDirectory()
        var builder = PasswordFilter.Builder(capacity: 3, falsePositiveInterval: 1_000_000)
        for password in ["gnorf blit quazz mump", "Grasshoppers Waltz Slowly", "p\u{e4}ssp\u{e4}ss qwoblik drumf"] {
            builder.insert(.init(password: password.utf8))
        }
        try Data(builder.finish()).write(to: URL(fileURLWithPath: path))
    }

    private func refusal(_ password: String, breached: BreachedPasswords?) -> AuthError? {
        do {
            try PasswordPolicy.nist.check(Password(password), for: Username("miguel"), breached: breached)
            return nil
        } catch {
            return error
        }
    }

    @Test(arguments: [
        "gnorf blit quazz mump", "Gnorf Blit Quazz Mump", "GNORF BLIT QUAZZ MUMP", "Grasshoppers Waltz Slowly",
        "p\u{e4}ssp\u{e4}ss qwoblik drumf", "pa\u{308}sspa\u{308}ss qwoblik drumf", "PÄSSPÄSS QWOBLIK DRUMF",
        "gnorf\u{A0}blit\u{A0}quazz\u{A0}mump",
    ])
    func whatIsInTheListIsRefusedInLowerCaseToo(password: String) throws {
        let breached = try BreachedPasswords(file: path)
        let error = refusal(password, breached: breached)
        #expect(error?.code == .weakPassword)
        #expect(error?.detail.contains("known from breaches") == true)
        #expect(refusal(password, breached: nil) == nil)
    }

    /// The list may contain the password in another case, but that cannot be looked up.
    @Test(arguments: ["gnorf blit quazz mumps", " gnorf blit quazz mump", "grasshoppers waltz slowly"])
    func whatIsNotInTheListIsAccepted(password: String) throws {
        #expect(try refusal(password, breached: BreachedPasswords(file: path)) == nil)
    }

    @Test func theOpenPolicyDoesNotAsk() throws {
        try PasswordPolicy.open.check(
            Password("gnorf blit quazz mump"), for: Username("miguel"), breached: BreachedPasswords(file: path))
    }

    @Test func everyWayToAPasswordIsHeld() async throws {
        let breached = try BreachedPasswords(file: path)
        let test = try await TestAuth {
            $0.passwordPolicy = .nist
            $0.breachedPasswords = breached
        }
        let (bad, good) = ("gnorf blit quazz mump", "gnorf blit quazz mumps")
        await test.expect(.weakPassword) { try await test.auth.users.register("miguel", password: bad) }
        #expect(try await test.auth.users.list().isEmpty)
        let user = try await test.auth.users.register("miguel", password: good)
        await test.expect(.weakPassword) { try await test.auth.passwords.set(bad, for: user) }
        let identity = try await test.auth.login.identify("miguel", password: good)
        let error = await #expect(throws: AuthError.self) {
            try await test.auth.passwords.change(from: good, to: bad, for: identity)
        }
        #expect(error?.code == .weakPassword)
        #expect(error?.field == "new_password")
        _ = try await test.auth.login.identify("miguel", password: good)
    }

    @Test func aFileThatIsNoneIsRefusedWithWhatToDo() throws {
        let whole = try Data(contentsOf: URL(fileURLWithPath: path))
        var (changed, newer) = (whole, whole)
        changed[whole.count - 1] ^= 1
        newer[8] = 9
        let files: [(bytes: Data?, reason: String)] = [
            (nil, "cannot be read"), (Data(), "is no such list"), (Data("letmein\npython\n".utf8), "is no such list"),
            (Data(whole.dropLast()), "is damaged"), (changed, "is damaged"), (newer, "another version"),
        ]
        for (bytes, reason) in files {
            try FileManager.default.removeItem(atPath: path)
            try bytes?.write(to: URL(fileURLWithPath: path))
            let error = #expect(throws: AuthError.self) { try BreachedPasswords(file: path) }
            #expect(error?.code == .misconfigured)
            #expect(error?.detail.contains(reason) == true)
            #expect(error?.detail.contains("rest-auth passwords filter") == true)
            if bytes == nil { try whole.write(to: URL(fileURLWithPath: path)) }
        }
    }
}
