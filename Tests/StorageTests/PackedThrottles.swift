import RESTAuth
import Testing

/// Counters of an earlier schema, which kept a subject in one text.
enum PackedThrottles {
    private static let names = [
        "john", "john smith", "john  smith", "john 192.0.2.0/24", "o'hara", "\u{301}nna", "\u{308}", "100% _", "李雷",
    ]

    /// The last ones are malformed or of a kind that was never counted.
    static let all =
        names.map { "account:\($0)" } + names.map { "known:\($0) 2001:db8:7:100::/56" } + [
            "network:192.0.2.0/24", "network:::/56", "registrations:192.0.2.0/24", "confirmation:7", "hashing:",
            "", "account:", "known:john", "known: 192.0.2.0/24", "confirmation:x", "Network:192.0.2.0/24", "network:",
        ]

    static func expectUnpacked(_ storage: any Storage) async throws {
        let home = try #require(ClientNetwork("2001:db8:7:1ff::1"))
        let (office, loopback) = (try #require(ClientNetwork("192.0.2.1")), try #require(ClientNetwork("::1")))
        var expected: [ThrottleSubject] = []
        for name in names { try expected.append(.account(Username(whoever: name))) }
        for name in names { try expected.append(.account(Username(whoever: name), from: home)) }
        expected += [
            .network(office), .network(loopback), .registrations(from: office), .confirmation(by: 7), .hashing,
        ]
        let counters = try await storage.throttles(after: nil, limit: 100)
        #expect(counters.count == expected.count)
        for (number, subject) in expected.enumerated() {
            let counter = try #require(try await storage.throttles(of: [subject]).first, "\(subject)")
            #expect(counter.failures == number)
            #expect(counter.version == number + 100)
            #expect(counter.others == [1, 2])
        }
    }
}
