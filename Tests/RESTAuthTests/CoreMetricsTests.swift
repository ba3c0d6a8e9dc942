import Foundation
import Metrics
import MetricsTestKit
import RESTAuth
import Testing

/// The metrics that the core reports through swift-metrics.
@Suite struct CoreMetricsTests {
    private let metrics = TestMetrics()

    private func value(_ gauge: String) throws -> Double? {
        try metrics.expectRecorder(gauge).lastValue
    }

    private func line(_ number: Int64, _ user: User.ID, until: TimeInterval) -> Revocation {
        Revocation(
            number: number, subject: .user(user), isRefused: true, at: Date(timeIntervalSince1970: 0),
            expiresAt: Date(timeIntervalSince1970: until))
    }

    @Test func theSetOfRevocationsIsMeasured() throws {
        let revocations = withMetricsFactory(metrics) { Revocations(bound: .seconds(600)) }
        revocations.apply([line(1, 1, until: 20), line(2, 2, until: 10)])
        #expect(try value("rest_auth_revocations") == 2)
        // Another entry for a subject that is there already.
        revocations.apply([line(3, 1, until: 20)])
        #expect(try value("rest_auth_revocations") == 2)
        revocations.forget(expiredBefore: Date(timeIntervalSince1970: 15))
        #expect(try value("rest_auth_revocations") == 1)
    }

    @Test func theTimeIsThatAtWhichTheReadBegan() throws {
        let revocations = withMetricsFactory(metrics) { Revocations(bound: .seconds(600)) }
        #expect(try value("rest_auth_revocations_read_timestamp_seconds") == nil)
        revocations.confirm(at: .now - .seconds(1000))
        let readAt = try #require(try value("rest_auth_revocations_read_timestamp_seconds"))
        #expect(abs(Date.now.timeIntervalSince1970 - readAt - 1000) < 100)
    }

    @Test func theRingOfKeysIsMeasured() async throws {
        let test = try await withMetricsFactory(metrics) { try await TestAuth() }
        let now = test.clock.now.timeIntervalSince1970
        #expect(try value("rest_auth_signing_keys") == 1)
        let first = try #require(try value("rest_auth_signing_key_first_use_timestamp_seconds"))
        #expect(abs(first - now) < 1)
        let due = try #require(try value("rest_auth_signing_key_rotation_timestamp_seconds"))
        #expect(abs(due - now - Double(test.auth.configuration.keyRotationInterval)) < 1)
        try await test.auth.signingKeys.rotate()
        #expect(try value("rest_auth_signing_keys") == 2)
        // The present key signs until the next one does.
        #expect(try value("rest_auth_signing_key_first_use_timestamp_seconds") == first)
        let next = try #require(try value("rest_auth_signing_key_rotation_timestamp_seconds"))
        #expect(abs(next - now - SigningKeys.publicationLead) < 1)
    }

    @Test func readsAndWritesAreMeasuredWhetherTheySucceedOrNot() async throws {
        let test = try await withMetricsFactory(metrics) { try await TestAuth() }
        let writes = try metrics.expectTimer("rest_auth_storage_seconds", [("kind", "write")])
        let before = writes.values.count
        _ = try await test.auth.users.register("miguel", password: "python")
        #expect(writes.values.count == before + 1)
        await test.expect(.userAlreadyExists) { try await test.auth.users.register("miguel", password: "python") }
        #expect(writes.values.count == before + 2)
        #expect(try !metrics.expectTimer("rest_auth_storage_seconds", [("kind", "read")]).values.isEmpty)
        for kind in ["read", "write"] {
            #expect(try metrics.expectMeter("rest_auth_storage_pending", [("kind", kind)]).lastValue == 0)
        }
    }
}
