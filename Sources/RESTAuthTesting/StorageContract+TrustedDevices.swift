import Foundation
import RESTAuth
import Testing

extension FactorPromises {
    static let trustedDevices = [
        Promise("a device is trusted until it expires, of its user alone") { storage async throws in
            let (user, other) = try await (userWithFactor("a", storage), userWithFactor("b", storage))
            #expect(try await trust("d", of: user, storage))
            let device = device("d", of: user)
            #expect(try await storage.trustedDevice(digest: digests[0], of: user, at: now) == device)
            #expect(try await storage.trustedDevices(of: user, at: now) == [device])
            #expect(try await storage.trustedDevice(digest: digests[1], of: user, at: now) == nil)
            #expect(try await storage.trustedDevice(digest: digests[0], of: other, at: now) == nil)
            let end = device.expiresAt
            #expect(try await storage.trustedDevice(digest: digests[0], of: user, at: end - 1) != nil)
            for date in [end, end + 1] {
                #expect(try await storage.trustedDevice(digest: digests[0], of: user, at: date) == nil)
                #expect(try await !storage.useTrustedDevice(digest: digests[0], of: user, at: date))
                #expect(try await storage.trustedDevices(of: user, at: date).isEmpty)
            }
        },
        Promise("a sign-in with a device is noted") { storage async throws in
            let user = try await userWithFactor("a", storage)
            #expect(try await trust("d", of: user, storage))
            let later = now.addingTimeInterval(60)
            #expect(try await !storage.useTrustedDevice(digest: digests[1], of: user, at: later))
            #expect(try await !storage.useTrustedDevice(digest: digests[0], of: user + 1, at: later))
            #expect(try await storage.useTrustedDevice(digest: digests[0], of: user, at: later))
            #expect(try await storage.trustedDevices(of: user, at: later).map(\.lastUsedAt) == [later])
        },
        Promise("the trust ends with the password") { storage async throws in
            let user = try await userWithFactor("a", storage)
            #expect(try await trust("d", of: user, storage))
            let ended = try await storage.setPasswordHash("other", user: user, replacing: nil, beginning: nil, at: now)
            #expect(ended != nil)
            #expect(try await storage.trustedDevice(digest: digests[0], of: user, at: now) == nil)
            #expect(try await !storage.useTrustedDevice(digest: digests[0], of: user, at: now))
            #expect(try await storage.trustedDevices(of: user, at: now).isEmpty)
            // Whoever gave the one before comes too late, and who is disabled, or gone, does not
            // come.
            #expect(try await !trust("e", of: user, digest: 1, storage))
            #expect(try await trust("e", of: user, digest: 1, version: 2, storage))
            _ = try await storage.disableUser(id: user, at: now)
            #expect(try await !trust("f", of: user, digest: 2, version: 2, storage))
            #expect(try await !trust("f", of: user + 1, digest: 2, storage))
            #expect(try await count("device.trusted", storage) == 2)
        },
        Promise("of too many devices the oldest go") { storage async throws in
            let (user, other) = try await (userWithFactor("a", storage), userWithFactor("b", storage))
            #expect(try await trust("z", of: other, digest: 9, storage))
            for number in 0..<5 {
                let at = now.addingTimeInterval(TimeInterval(number))
                #expect(try await trust("d\(number)", of: user, digest: number, at: at, limit: 3, storage))
            }
            #expect(try await storage.trustedDevices(of: user, at: now).map(\.id) == ["d4", "d3", "d2"])
            // By a clock that was set back: the new one stays.
            #expect(try await trust("d5", of: user, digest: 5, at: now.addingTimeInterval(-60), limit: 3, storage))
            #expect(try await storage.trustedDevices(of: user, at: now).map(\.id) == ["d4", "d3", "d5"])
            #expect(try await storage.trustedDevices(of: other, at: now).count == 1)
        },
        Promise("a device is forgotten, or all of a user") { storage async throws in
            let (user, other) = try await (userWithFactor("a", storage), userWithFactor("b", storage))
            for number in 0..<3 { #expect(try await trust("d\(number)", of: user, digest: number, storage)) }
            #expect(try await trust("e", of: other, digest: 9, storage))
            func forget(_ id: String?) async throws -> Bool {
                try await storage.removeTrustedDevices(
                    id: id, of: user, recording: Samples.event(.deviceForgotten, user: user, at: now))
            }
            for id in ["e", "x", ""] { #expect(try await !forget(id)) }
            #expect(try await forget("d1"))
            #expect(try await !forget("d1"))
            #expect(try await storage.trustedDevice(digest: digests[1], of: user, at: now) == nil)
            #expect(try await storage.trustedDevices(of: user, at: now).count == 2)
            #expect(try await forget(nil))
            #expect(try await !forget(nil))
            #expect(try await storage.trustedDevices(of: user, at: now).isEmpty)
            #expect(try await storage.trustedDevices(of: other, at: now).count == 1)
            #expect(try await count("device.forgotten", storage) == 2)
        },
        Promise("no two devices have one token") { storage async throws in
            let user = try await userWithFactor("a", storage)
            #expect(try await trust("d", of: user, storage))
            await #expect(throws: (any Error).self) { try await trust("e", of: user, storage) }
            #expect(try await storage.trustedDevices(of: user, at: now).map(\.id) == ["d"])
        },
        Promise("devices are swept when they have expired") { storage async throws in
            let user = try await userWithFactor("a", storage)
            for number in 0..<3 { #expect(try await trust("d\(number)", of: user, digest: number, storage)) }
            let end = device("d0", of: user).expiresAt
            #expect(try await storage.deleteTrustedDevices(expiredBefore: end, limit: 10) == 0)
            #expect(try await storage.deleteTrustedDevices(expiredBefore: end + 1, limit: 2) == 2)
            #expect(try await storage.deleteTrustedDevices(expiredBefore: end + 1, limit: 2) == 1)
        },
    ]
}
