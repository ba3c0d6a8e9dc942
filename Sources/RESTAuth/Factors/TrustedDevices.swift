import Foundation

/// Trusts, finds, lists and forgets devices on which no second factor is asked for.
public final class TrustedDevices: Sendable {
    /// Number of devices that a user may have; the oldest go.
    public static let limit = 20

    let storage: any Storage
    /// Seconds that a device is trusted; `nil` trusts none.
    let lifetime: Int?
    let now: @Sendable () -> Date

    init(storage: any Storage, lifetime: Int?, now: @escaping @Sendable () -> Date) {
        self.storage = storage
        self.lifetime = lifetime
        self.now = now
    }

    /// Trusts the device of a user who has just given a password and a second factor.
    /// - Returns: the token and the seconds for which it is good; `nil` where no device is trusted,
    ///   or the user has another password by now.
    package func trust(
        _ user: UserIdentity, by caller: Caller
    ) async throws -> (token: TrustedDeviceToken, duration: Int)? {
        guard let lifetime, let version = user.passwordVersion else { return nil }
        let (token, now) = (TrustedDeviceToken(), now())
        let device = TrustedDevice(
            id: FactorDescription.newID(), userID: user.userID, origin: caller.origin, createdAt: now, lastUsedAt: now,
            expiresAt: now.addingTimeInterval(TimeInterval(lifetime)))
        let event = AuthEvent.deviceTrusted(device.id, of: user.userID).by(caller.nowKnown(as: user), at: now)
        let isStored = try await storage.insertTrustedDevice(
            device, digest: token.digest(for: user.userID), passwordVersion: version, limit: Self.limit,
            recording: event)
        guard isStored else { return nil }
        event.record()
        return (token, lifetime)
    }

    /// The device of that token, if it is trusted for this user: asked before the password is
    /// compared, so that guesses from elsewhere do not hold it up.
    package func find(_ token: String, of user: User.ID) async throws -> TrustedDevice? {
        guard lifetime != nil, let token = TrustedDeviceToken(token) else { return nil }
        return try await storage.trustedDevice(digest: token.digest(for: user), of: user, at: now())
    }

    /// Takes the token in place of a second factor, after a right password.
    /// - Returns: whether the device is trusted.
    package func use(_ token: String, of user: User.ID) async throws -> Bool {
        guard lifetime != nil, let token = TrustedDeviceToken(token) else { return false }
        return try await storage.useTrustedDevice(digest: token.digest(for: user), of: user, at: now())
    }

    /// The trusted devices of a user, the newest first.
    public func list(of user: User.ID) async throws -> [TrustedDevice] {
        try await storage.trustedDevices(of: user, at: now())
    }

    /// Forgets a device, or all of them when no id is given.
    /// - Throws: `device_not_found` for one that is not there.
    public func forget(
        _ id: TrustedDevice.ID? = nil, of user: UserIdentity, by caller: Caller = .application
    ) async throws {
        try await forget(id, of: user.userID, by: caller)
    }

    func forget(_ id: TrustedDevice.ID?, of user: User.ID, by caller: Caller) async throws {
        let event = AuthEvent.deviceForgotten(id, of: user).by(caller, at: now())
        if try await storage.removeTrustedDevices(id: id, of: user, recording: event) {
            event.record()
        } else if id != nil {
            throw AuthError(.deviceNotFound, "there is no such device")
        }
    }
}
