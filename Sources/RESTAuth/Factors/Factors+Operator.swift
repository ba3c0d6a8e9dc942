extension Factors {
    /// Removes an authenticator app of a user, for an operator; with the last factor recovery codes
    /// and trusted devices, too.
    /// - Throws: `factor_not_found`; `forbidden` for an operator whom the caller may not change.
    public func remove(
        _ id: FactorDescription.ID, ofUser user: User.ID, by caller: Caller = .application
    ) async throws {
        try await OperatorRules(storage: storage).checkChange(of: user, by: caller)
        try await remove(id, of: user, keepingLast: false, by: caller)
    }
}

extension Passkeys {
    /// Deletes a passkey of a user, for an operator; with the last factor recovery codes and
    /// trusted devices, too.
    /// - Throws: `passkey_not_found`; `last_way_in` for the only one by which a user without a
    ///   password can sign in; `forbidden` for an operator whom the caller may not change.
    public func delete(_ id: Passkey.ID, ofUser user: User.ID, by caller: Caller = .application) async throws {
        try await OperatorRules(storage: storage).checkChange(of: user, by: caller)
        try await delete(id, of: user, keepsLast: false, by: caller)
    }
}

extension TrustedDevices {
    /// Forgets a device of a user, or all of them when no id is given, for an operator.
    /// - Throws: `device_not_found` for one that is not there; `forbidden` for an operator whom the
    ///   caller may not change.
    public func forget(
        _ id: TrustedDevice.ID?, ofUser user: User.ID, by caller: Caller = .application
    ) async throws {
        try await OperatorRules(storage: storage).checkChange(of: user, by: caller)
        try await forget(id, of: user, by: caller)
    }
}
