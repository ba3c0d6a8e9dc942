import Foundation
import RESTAuth
import Testing

/// What an authenticator app shares with us, and how it lies in a row.
@Suite struct TOTPSecretTests {
    private let old = InstanceSecret()
    private let new = InstanceSecret()
    private let bytes = Array("12345678901234567890".utf8)
    private let secret: TOTPSecret

    init() throws { secret = try #require(TOTPSecret(bytes: bytes)) }

    private func isOpened(_ sealed: [UInt8], for factor: String = "A", of user: User.ID = 1, by known: KnownSecrets)
        -> Bool
    {
        TOTPSecret.opened(sealed, for: factor, of: user, by: known) != nil
    }

    @Test func aSecretHas160Bits() {
        #expect(secret.base32 == "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")
        for count in [0, 1, 10, 16, 19, 21, 32, 64] {
            #expect(TOTPSecret(bytes: [UInt8](repeating: 1, count: count)) == nil)
        }
        let made = Set((0..<1000).map { _ in TOTPSecret().base32 })
        #expect(made.count == 1000)
        #expect(made.allSatisfy { Base32.decode($0.utf8)?.count == TOTPSecret.length })
    }

    @Test func whatIsSealedIsOpened() throws {
        let known = KnownSecrets(old)
        let sealed = try secret.sealed(for: "A", of: 1, by: known)
        let opened = try #require(TOTPSecret.opened(sealed, for: "A", of: 1, by: known))
        #expect(opened.secret.base32 == secret.base32)
        // Nonce, text and tag.
        #expect(sealed.count == 12 + 20 + 16)
        #expect(try secret.sealed(for: "A", of: 1, by: known) != sealed)
        for piece in [bytes, Array(secret.base32.utf8)] {
            #expect(!sealed.indices.contains { sealed[$0...].starts(with: piece) })
        }
    }

    @Test(arguments: [
        ("A", 2), ("A", -1), ("A", 0), ("A", Int64.max), ("A", 1 << 56), ("B", 1), ("", 1), ("AA", 1), ("a", 1),
        ("A\0", 1), ("\0A", 1), ("\u{FF21}", 1),
    ])
    func itOpensForNoOtherFactorAndNoOtherUser(factor: String, user: User.ID) throws {
        let known = KnownSecrets(old)
        let sealed = try secret.sealed(for: "A", of: 1, by: known)
        #expect(!isOpened(sealed, for: factor, of: user, by: known))
    }

    @Test func whatIsAlteredIsNotOpened() throws {
        let known = try InstanceSecrets(new, previous: old).known
        for by in [KnownSecrets(old), known] {
            let sealed = try secret.sealed(for: "A", of: 1, by: by)
            #expect(isOpened(sealed, by: known))
            for index in sealed.indices {
                for bit in 0..<8 {
                    var changed = sealed
                    changed[index] ^= 1 << bit
                    #expect(!isOpened(changed, by: known), "byte \(index), bit \(bit)")
                }
            }
            for count in 0..<sealed.count {
                #expect(!isOpened(Array(sealed.prefix(count)), by: known))
                // Without the mark it is what it is with it: the mark only says where to look
                // first.
                if count != 12 + 20 + 16 { #expect(!isOpened(Array(sealed.suffix(count)), by: known)) }
            }
            #expect(!isOpened(sealed + [0], by: known) && !isOpened([0] + sealed, by: known))
            #expect(!isOpened(sealed + sealed, by: known))
        }
    }

    @Test func anotherSecretOpensNothing() throws {
        let sealed = try secret.sealed(for: "A", of: 1, by: KnownSecrets(old))
        #expect(!isOpened(sealed, by: KnownSecrets(new)))
        #expect(!isOpened(sealed, by: try InstanceSecrets(new, next: InstanceSecret()).known))
    }

    @Test func aSecretOfAnotherLengthIsNone() throws {
        // Sealed by the same construction, as nobody does it.
        let known = KnownSecrets(old)
        for count in [0, 19, 21] {
            #expect(TOTPSecret(bytes: [UInt8](repeating: 0, count: count)) == nil)
            #expect(!isOpened([UInt8](repeating: 0, count: 12 + count + 16), by: known))
        }
    }

    // MARK: While the instance's secret is changed

    @Test func bothSecretsOpenWhatEitherSealed() throws {
        let before = try secret.sealed(for: "A", of: 1, by: KnownSecrets(old))
        let known = try InstanceSecrets(new, previous: old).known
        let after = try secret.sealed(for: "A", of: 1, by: known)
        #expect(after.count == before.count + 4)
        let (one, other) = try (
            #require(TOTPSecret.opened(before, for: "A", of: 1, by: known)),
            #require(TOTPSecret.opened(after, for: "A", of: 1, by: known))
        )
        #expect(one.secret.base32 == secret.base32 && other.secret.base32 == secret.base32)
        #expect(one.under != other.under)
        // A node that has the new one as the next only.
        let late = try InstanceSecrets(old, next: new).known
        #expect(isOpened(before, by: late) && isOpened(after, by: late))
    }

    @Test func whatIsSealedAnewNeedsThePreviousSecretNoMore() throws {
        let before = try secret.sealed(for: "A", of: 1, by: KnownSecrets(old))
        let known = try InstanceSecrets(new, previous: old).known
        let opened = try #require(TOTPSecret.opened(before, for: "A", of: 1, by: known))
        let after = try opened.secret.sealed(for: "A", of: 1, by: known)
        #expect(isOpened(after, by: KnownSecrets(new)) && !isOpened(before, by: KnownSecrets(new)))
        #expect(!isOpened(after, by: KnownSecrets(old)))
    }

    @Test func itShowsNothing() throws {
        let uri = OTPAuthURI(issuer: "example.com", account: "miguel", secret: secret)
        let code = try #require(OneTimeCode("123456"))
        let values: [any Redacted] = [secret, uri, code]
        for value in values {
            var dumped = ""
            dump(value, to: &dumped)
            let shown = "\(value) \(String(reflecting: value)) \(String(describing: Optional(value))) \(dumped)"
            for piece in [secret.base32, "123456", "[49, 50", "example.com"] { #expect(!shown.contains(piece)) }
        }
    }
}
