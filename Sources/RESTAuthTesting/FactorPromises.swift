import Foundation
import RESTAuth
import Testing

/// The promises about second factors, and the samples that they share.
enum FactorPromises {
    typealias Promise = StorageContract.Promise

    static let now = TestClock().now
    static let sampleKey: [UInt8] = Array("sealed key\0".utf8)
    static let digests: [[UInt8]] = (0..<10).map { [UInt8](repeating: $0, count: 32) }

    static func newUser(_ name: String, _ storage: any Storage) async throws -> User.ID {
        try await storage.insertUser(Username(name), passwordHash: "h", at: now).id
    }

    static func userWithFactor(
        _ name: String, key: [UInt8] = sampleKey, _ storage: any Storage
    ) async throws -> User.ID {
        let user = try await newUser(name, storage)
        #expect(try await storage.insertTOTP(app("app of \(user)", of: user), limit: 5))
        #expect(try await confirm("app of \(user)", of: user, step: 1, key: key, storage).hasNewCodes)
        return user
    }

    static func app(_ id: String, of user: User.ID, name: String = "phone") -> StoredTOTP {
        StoredTOTP(id: id, userID: user, name: name, sealed: Array("sealed \(id)\0".utf8), createdAt: now)
    }

    static func confirm(
        _ id: String, of user: User.ID, step: Int64, after start: Date? = nil, limit: Int = 5,
        key: [UInt8] = sampleKey, _ storage: any Storage
    ) async throws -> (isConfirmed: Bool, hasNewCodes: Bool) {
        try await storage.confirmTOTP(
            id: id, of: user, step: step, at: now, addedAfter: start ?? now, limit: limit,
            recoveryCodes: StoredRecoveryCodes(sealedKey: key, digests: digests),
            recording: Samples.event(.factorAdded, user: user, at: now),
            and: Samples.event(.recoveryCodesMade, user: user, at: now))
    }

    static func use(_ digest: [UInt8], of user: User.ID, _ storage: any Storage) async throws -> Int? {
        try await storage.useRecoveryCode(
            digest: digest, of: user, spending: nil, recording: Samples.event(.recoveryCodeUsed, user: user, at: now))
    }

    static func device(_ id: String, of user: User.ID, at date: Date? = nil) -> TrustedDevice {
        let date = date ?? now
        return TrustedDevice(
            id: id, userID: user, origin: SessionOrigin(address: "192.0.2.1", userAgent: "curl/8"), createdAt: date,
            lastUsedAt: date, expiresAt: date.addingTimeInterval(30 * 86400))
    }

    static func trust(
        _ id: String, of user: User.ID, digest: Int = 0, version: Int = 1, at date: Date? = nil, limit: Int = 20,
        _ storage: any Storage
    ) async throws -> Bool {
        try await storage.insertTrustedDevice(
            device(id, of: user, at: date), digest: digests[digest], passwordVersion: version, limit: limit,
            recording: Samples.event(.deviceTrusted, user: user, at: now))
    }

    static func added(_ storage: any Storage) async throws -> Int {
        try await count("factor.added", storage)
    }

    static func count(_ name: String, _ storage: any Storage) async throws -> Int {
        try await storage.events(after: 0, limit: 1000).filter { $0.fields.name == name }.count
    }
}
