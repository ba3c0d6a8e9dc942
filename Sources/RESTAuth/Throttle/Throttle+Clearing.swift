package import Foundation

extension Throttle {
    /// Calls `body` with every counter that is not forgotten, in the order of their subjects.
    package func forEach(_ body: (ThrottleCounter) async throws -> Void) async throws {
        var last: ThrottleSubject?
        while case let page = try await list(after: last, limit: 1000), let end = page.last {
            for counter in page { try await body(counter) }
            last = end.subject
        }
    }

    /// Deletes the counters of these networks, of all users there.
    /// - Parameters:
    ///   - networks: the networks; `nil` deletes every counter.
    ///   - caller: the actor, for the events.
    /// - Returns: the number of counters that were deleted.
    /// - Throws: `forbidden` unless the caller is an operator, a command or the application.
    package func clear(from networks: [ClientNetwork]?, by caller: Caller) async throws -> Int {
        try await OperatorRules(storage: storage).checkForgettingOfMany(by: caller)
        var count = 0
        try await forEach { counter in
            let isMeant = networks.map { counter.subject.network.map($0.contains) ?? false } ?? true
            if isMeant, try await delete(counter.subject, by: caller) { count += 1 }
        }
        return count
    }

    /// Deletes the counters of a user name, whether a user has it or not, and those that are
    /// counted by the user's id.
    /// - Returns: the number of counters that were deleted.
    /// - Throws: `validation_failed` for a text that can be no user name; `forbidden` for an
    ///   operator whom the caller may not change.
    package func clear(username: String, in users: Users, by caller: Caller) async throws -> Int {
        let name = try Username(whoever: username)
        let id: User.ID?
        do {
            id = try await users.find(named: username).id
        } catch let error as AuthError where error.code == .userNotFound {
            id = nil
        }
        return try await clear(name, user: id, by: caller).count
    }
}

extension ThrottleCounter {
    /// The counter as an object.
    /// - Parameter until: the time until which it blocks, as ``Throttle/blockedUntil(_:)`` says.
    package func json(blockedUntil until: Date?) -> JSON {
        [
            "kind": .string(subject.kind.rawValue), "username": subject.username.map(JSON.string) ?? .null,
            "user_id": subject.userID.map { .integer(Int($0)) } ?? .null,
            "network": subject.network.map { .string($0.description) } ?? .null,
            "count": .integer(failures), "last_at": .string(failedAt.ISO8601Format()), "others": .integer(others.count),
            "is_blocked": .bool(until != nil),
            "blocked_until": until.map { $0 == .distantFuture ? .null : .string($0.ISO8601Format()) } ?? .null,
        ]
    }
}
