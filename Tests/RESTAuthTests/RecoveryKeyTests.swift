import Crypto
import Foundation
import RESTAuth
import Testing

/// The digests of recovery codes, and the key of them as it lies in a row.
@Suite struct RecoveryKeyTests {
    private let old = InstanceSecret()
    private let new = InstanceSecret()
    private let key = RecoveryKey()

    private func code(_ text: String = "7K3QD-9XW2M") throws -> RecoveryCode { try #require(RecoveryCode(text)) }

    /// Whether it opens to the same key.
    private func isOpened(_ sealed: [UInt8], of user: User.ID = 1, by known: KnownSecrets) throws -> Bool {
        guard let (opened, _) = RecoveryKey.opened(sealed, for: user, by: known) else { return false }
        return try opened.digest(of: code()) == key.digest(of: code())
    }

    // MARK: Digests

    @Test func aCodeHasOneDigestHoweverItIsTyped() throws {
        let digest = key.digest(of: try code())
        #expect(digest.count == 32)
        for text in ["7k3qd 9xw2m", "7K3QD9XW2M"] { #expect(key.digest(of: try code(text)) == digest) }
        for text in ["7K3QD-9XW2N", "7K3QD-9XWM2", "9XW2M-7K3QD", "00000-00000"] {
            #expect(key.digest(of: try code(text)) != digest)
        }
    }

    @Test func withoutTheKeyADigestIsOfNoUse() throws {
        let digests = Set(try (0..<100).map { _ in RecoveryKey().digest(of: try code()) })
        #expect(digests.count == 100)
        #expect(!digests.contains(Array(SHA256.hash(data: Data("7K3QD9XW2M".utf8)))))
    }

    // MARK: At rest

    @Test func whatIsSealedIsOpened() throws {
        let known = KnownSecrets(old)
        let sealed = try key.sealed(for: 1, by: known)
        #expect(try isOpened(sealed, by: known))
        // Nonce, text and tag.
        #expect(sealed.count == 12 + 32 + 16)
        #expect(try key.sealed(for: 1, by: known) != sealed)
        for user in [0, 2, -1, 256, 1 << 56, Int64.max] { #expect(try !isOpened(sealed, of: user, by: known)) }
        #expect(try !isOpened(sealed, by: KnownSecrets(new)))
        #expect(try !isOpened(sealed, by: InstanceSecrets(new, next: InstanceSecret()).known))
    }

    @Test func whatIsAlteredIsNotOpened() throws {
        let known = try InstanceSecrets(new, previous: old).known
        for by in [KnownSecrets(old), known] {
            let sealed = try key.sealed(for: 1, by: by)
            for index in sealed.indices {
                for bit in 0..<8 {
                    var changed = sealed
                    changed[index] ^= 1 << bit
                    #expect(try !isOpened(changed, by: known), "byte \(index), bit \(bit)")
                }
            }
            for count in 0..<sealed.count { #expect(try !isOpened(Array(sealed.prefix(count)), by: known)) }
            for other in [sealed + [0], [0] + sealed, sealed + sealed] { #expect(try !isOpened(other, by: known)) }
        }
    }

    /// Each kind of secret has its own key, even under the same name.
    @Test func aSecretOfAnAppOpensAsNoKey() throws {
        let known = KnownSecrets(old)
        #expect(RecoveryKey.opened(try TOTPSecret().sealed(for: "", of: 1, by: known), for: 1, by: known) == nil)
        #expect(TOTPSecret.opened(try key.sealed(for: 1, by: known), for: "", of: 1, by: known) == nil)
    }

    // MARK: While the instance's secret is changed

    @Test func bothSecretsOpenWhatEitherSealed() throws {
        let before = try key.sealed(for: 1, by: KnownSecrets(old))
        let known = try InstanceSecrets(new, previous: old).known
        let after = try key.sealed(for: 1, by: known)
        #expect(after.count == before.count + 4)
        let late = try InstanceSecrets(old, next: new).known
        for secrets in [known, late] {
            #expect(try isOpened(before, by: secrets))
            #expect(try isOpened(after, by: secrets))
        }
        #expect(try isOpened(after, by: KnownSecrets(new)))
        #expect(try !isOpened(before, by: KnownSecrets(new)))
        #expect(try !isOpened(after, by: KnownSecrets(old)))
    }
}
