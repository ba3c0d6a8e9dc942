import Crypto
import Foundation
import RESTAuth
import RESTAuthSQLite
import RESTAuthTesting
import Support
import Testing

extension SecretRotationTests {
    @Test func signingKeysAreSealedAnewOnceAndByWhoeverKnowsBoth() async throws {
        let before = try await before()
        let tokens = try await before.session()
        try await before.auth.signingKeys.rotate()
        let stored = try await storage.signingKeys()
        for process in [before, try await prepared()] {
            #expect(try await process.auth.secretRotation.reseal() == (0, 0))
            #expect(try await process.auth.secretRotation.status().signingKeysToReseal == 0)
        }
        #expect(try await storage.signingKeys() == stored)
        let changed = try await changed()
        #expect(try await changed.auth.secretRotation.status().signingKeysToReseal == 2)
        let others = [changed, try await self.changed()]
        let counts = try await withThrowingTaskGroup(of: Int.self) { group in
            for process in others { group.addTask { try await process.auth.secretRotation.reseal().signingKeys } }
            return try await group.reduce(0, +)
        }
        #expect(counts == 2)
        #expect(try await changed.auth.secretRotation.status().signingKeysToReseal == 0)
        let resealed = try await storage.signingKeys()
        #expect(zip(stored, resealed).allSatisfy { $0.id == $1.id && $0.sealed != $1.sealed })
        for process in [try await prepared(), changed, try await after()] {
            #expect(process.auth.signingKeys.jwks == before.auth.signingKeys.jwks)
            _ = try await process.verify(tokens.access)
        }
        await changed.expect(.misconfigured) { try await self.before() }
    }

    /// AES-256-GCM, bound to the key's id: nonce, text and tag, after the id of the secret while
    /// there are two.
    @Test func aKeyThatWasSealedByHandIsOpened() async throws {
        let id = try await before().auth.secretRotation.status().present.description
        let mark = try stride(from: 0, to: 8, by: 2).map { try #require(UInt8(id.dropFirst($0).prefix(2), radix: 16)) }
        let stored = try #require(await storage.signingKeys().first)
        let (key, name) = (old.key(for: "signing keys"), Data(stored.id.utf8))
        let raw = try AES.GCM.open(AES.GCM.SealedBox(combined: stored.sealed), using: key, authenticating: name)
        #expect(raw.count == 32)
        var sealed = stored.sealed
        for prefix in [[], mark] {
            let box = try AES.GCM.seal(raw, using: key, authenticating: name)
            let next = prefix + Array(try #require(box.combined))
            #expect(try await storage.replaceSealedSigningKey(id: stored.id, sealed, with: next))
            sealed = next
            for process in [try await before(), try await prepared(), try await changed()] {
                #expect(process.auth.signingKeys.list().map(\.id) == [stored.id])
            }
        }
    }

    @Test func aSealedKeyThatWasCutSwappedOrMarkedOtherwiseOpensNothing() async throws {
        let changed = try await changed()
        try await changed.auth.signingKeys.rotate()
        let keys = try await storage.signingKeys()
        let (first, second) = (keys[0], keys[1])
        let sealed = first.sealed
        var stored = sealed
        let others: [[UInt8]] = [
            second.sealed, Array(sealed.dropLast()), Array(sealed.prefix(4)), Array(sealed.prefix(20)), [],
            [0, 0, 0, 0] + sealed.dropFirst(4), sealed + [0], Array(sealed.prefix(4)) + sealed,
        ]
        for wrong in others {
            #expect(try await storage.replaceSealedSigningKey(id: first.id, stored, with: wrong))
            stored = wrong
            for secrets in [InstanceSecrets(new), try InstanceSecrets(new, previous: old)] {
                await changed.expect(.misconfigured) { try await self.process(secrets) }
            }
        }
        // Without the mark it is what the new secret seals when it is the only one.
        for good in [Array(sealed.dropFirst(4)), sealed] {
            #expect(try await storage.replaceSealedSigningKey(id: first.id, stored, with: good))
            stored = good
            _ = try await after()
        }
    }

    @Test func keysThatLeakedAreReplacedByOneThatSignsAtOnce() async throws {
        let changed = try await changed()
        let tokens = try await changed.session()
        try await changed.auth.signingKeys.rotate()
        let leaked = changed.auth.signingKeys.list().map(\.id)
        let key = try await changed.auth.signingKeys.replaceAll()
        #expect(key.state == .signing)
        #expect(!leaked.contains(key.id))
        #expect(changed.auth.signingKeys.list().map(\.id) == [key.id])
        await changed.expect(.invalidToken) { try await changed.verify(tokens.access) }
        _ = try await changed.verify(changed.auth.sessions.refresh(tokens.refresh.value).access)
    }
}
