import Foundation
import RESTAuth
import Testing

extension StorageContract {
    private static func rotation(
        _ session: Session, _ generation: Int, _ digest: String, to successor: String, at now: Date,
        timeout: TimeInterval = 7 * 86400
    ) -> RefreshRotation {
        RefreshRotation(
            sessionID: session.id, generation: generation, digest: Array(digest.utf8),
            successorDigest: { $0 == 0 ? Array(successor.utf8) : [UInt8(ascii: "a") + UInt8($0)] }, now: now,
            inactivityTimeout: timeout, timebox: 30 * 86400)
    }

    private static func isRenewed(_ outcome: RefreshOutcome) -> Bool {
        switch outcome {
        case .renewed, .repeated: true
        default: false
        }
    }

    static let refreshTokens = [
        Promise("a refresh token is traded once, and again until a successor is used") { storage async throws in
            let clock = TestClock()
            let session = Samples.session(of: try await user(storage, at: clock.now), at: clock.now)
            _ = try await storage.insertSession(
                session, passwordVersion: nil, refreshDigest: Array("0".utf8), limit: 10)
            clock.advance(by: 60)
            guard
                case .renewed(let renewed, let user, _) = try await storage.rotate(
                    rotation(session, 0, "0", to: "1", at: clock.now))
            else { throw Unexpected() }
            #expect(renewed.lastUsedAt == clock.now)
            #expect(renewed.expiresAt == clock.now.addingTimeInterval(7 * 86400))
            #expect(user.username == "a")
            // The first successor within a minute, then the next; each repeated answer is a use,
            // and prolongs nothing.
            for (number, index) in [0, 1, 1, 2, 2].enumerated() {
                clock.advance(by: 40)
                guard
                    case .repeated(let repeated, _, index, _) = try await storage.rotate(
                        rotation(session, 0, "0", to: "1", at: clock.now))
                else { throw Unexpected() }
                #expect(repeated.lastUsedAt == clock.now)
                #expect(repeated.expiresAt == renewed.expiresAt)
                let stored = try #require(await storage.session(id: session.id))
                #expect(stored.session == repeated)
                #expect(stored.refresh.repeats == number + 1)
            }
            // Any one of the successors can be used.
            #expect(isRenewed(try await storage.rotate(rotation(session, 1, "b", to: "2", at: clock.now))))
            let state = try #require(await storage.session(id: session.id)).refresh
            #expect(state.generation == 2)
            #expect(state.digest == Array("2".utf8))
            #expect(state.siblingDigests.isEmpty)
            #expect(state.previousDigest == Array("b".utf8))
            #expect(state.givenAt == clock.now)
            #expect(state.repeats == 0)
        },
        Promise("the second of two successors that are used ends the session") { storage async throws in
            let clock = TestClock()
            let id = try await user(storage, at: clock.now)
            for (number, (first, second)) in [("1", "b"), ("b", "1"), ("c", "b")].enumerated() {
                let session = Samples.session(number, of: id, at: clock.now)
                _ = try await storage.insertSession(
                    session, passwordVersion: nil, refreshDigest: Array("0".utf8), limit: 10)
                for _ in 0..<3 {
                    #expect(isRenewed(try await storage.rotate(rotation(session, 0, "0", to: "1", at: clock.now))))
                    clock.advance(by: 61)
                }
                #expect(isRenewed(try await storage.rotate(rotation(session, 1, first, to: "2", at: clock.now))))
                guard
                    case .reused(id, let line) = try await storage.rotate(
                        rotation(session, 1, second, to: "3", at: clock.now))
                else { throw Unexpected() }
                #expect(line.subject == .session(session.id))
                #expect(try await storage.session(id: session.id) == nil)
            }
        },
        Promise("a successor that was never given is refused") { storage async throws in
            let clock = TestClock()
            let session = Samples.session(of: try await user(storage, at: clock.now), at: clock.now)
            _ = try await storage.insertSession(
                session, passwordVersion: nil, refreshDigest: Array("0".utf8), limit: 10)
            #expect(isRenewed(try await storage.rotate(rotation(session, 0, "0", to: "1", at: clock.now))))
            for digest in ["b", "", "1b", "0"] {
                guard case .refused = try await storage.rotate(rotation(session, 1, digest, to: "2", at: clock.now))
                else { throw Unexpected() }
            }
            #expect(isRenewed(try await storage.rotate(rotation(session, 1, "1", to: "2", at: clock.now))))
        },
        Promise("of many that are late at once all get one successor, and none more than the limit") {
            storage async throws in
            let clock = TestClock()
            let session = Samples.session(of: try await user(storage, at: clock.now), at: clock.now)
            _ = try await storage.insertSession(
                session, passwordVersion: nil, refreshDigest: Array("0".utf8), limit: 10)
            #expect(isRenewed(try await storage.rotate(rotation(session, 0, "0", to: "1", at: clock.now))))
            clock.advance(by: 3600)
            let now = clock.now
            let (given, exhausted) = try await withThrowingTaskGroup(of: Int?.self) { group in
                for _ in 0..<RefreshRotation.repeatLimit + 20 {
                    group.addTask {
                        switch try await storage.rotate(rotation(session, 0, "0", to: "1", at: now)) {
                        case .repeated(_, _, let index, _): index
                        case .exhausted: nil
                        default: throw Unexpected()
                        }
                    }
                }
                return try await group.reduce(into: ([Int](), 0)) { result, index in
                    if let index { result.0.append(index) } else { result.1 += 1 }
                }
            }
            #expect(given == [Int](repeating: 1, count: RefreshRotation.repeatLimit))
            #expect(exhausted == 20)
            #expect(try await storage.session(id: session.id)?.refresh.repeats == RefreshRotation.repeatLimit)
            #expect(isRenewed(try await storage.rotate(rotation(session, 1, "1", to: "2", at: now))))
        },
        Promise("a token whose successor was used ends the session, with an entry") { storage async throws in
            let now = TestClock().now
            let id = try await user(storage, at: now)
            let session = Samples.session(of: id, at: now)
            _ = try await storage.insertSession(
                session, passwordVersion: nil, refreshDigest: Array("0".utf8), limit: 10)
            _ = try await storage.rotate(rotation(session, 0, "0", to: "1", at: now))
            _ = try await storage.rotate(rotation(session, 1, "1", to: "2", at: now))
            guard case .reused(id, let line) = try await storage.rotate(rotation(session, 0, "0", to: "1", at: now))
            else {
                throw Unexpected()
            }
            #expect(try await storage.revocations(after: 0, limit: 10) == [line])
            #expect(line.subject == .session(session.id))
            #expect(try await storage.session(id: session.id) == nil)
            guard case .refused = try await storage.rotate(rotation(session, 2, "2", to: "3", at: now)) else {
                throw Unexpected()
            }
        },
        Promise("of fifty racing rotations one advances, all are answered") { storage async throws in
            let now = TestClock().now
            let session = Samples.session(of: try await user(storage, at: now), at: now)
            _ = try await storage.insertSession(
                session, passwordVersion: nil, refreshDigest: Array("0".utf8), limit: 10)
            let renewed = try await withThrowingTaskGroup(of: Bool.self) { group in
                for _ in 0..<50 {
                    group.addTask { isRenewed(try await storage.rotate(rotation(session, 0, "0", to: "1", at: now))) }
                }
                return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(renewed == 50)
            #expect(try await storage.session(id: session.id)?.refresh.generation == 1)
        },
        Promise("an unknown token, an expired session and a disabled user are refused and change nothing") {
            storage async throws in
            let clock = TestClock()
            let id = try await user(storage, at: clock.now)
            let session = Samples.session(of: id, at: clock.now)
            _ = try await storage.insertSession(
                session, passwordVersion: nil, refreshDigest: Array("0".utf8), limit: 10)
            guard case .refused = try await storage.rotate(rotation(session, 5, "x", to: "y", at: clock.now)) else {
                throw Unexpected()
            }
            _ = try await storage.disableUser(id: id, at: clock.now)
            guard case .refused = try await storage.rotate(rotation(session, 0, "0", to: "1", at: clock.now)) else {
                throw Unexpected()
            }
            _ = try await storage.enableUser(id: id, at: clock.now)
            clock.advance(by: 7 * 86400)
            guard case .expired = try await storage.rotate(rotation(session, 0, "0", to: "1", at: clock.now)) else {
                throw Unexpected()
            }
            #expect(try await storage.session(id: session.id)?.refresh.digest == Array("0".utf8))
        },
        Promise("no renewal goes beyond the timebox") { storage async throws in
            let clock = TestClock()
            let start = clock.now
            let session = Samples.session(of: try await user(storage, at: start), at: start)
            _ = try await storage.insertSession(
                session, passwordVersion: nil, refreshDigest: Array("0".utf8), limit: 10)
            for number in 0..<5 {
                clock.advance(by: 6 * 86400)
                let outcome = try await storage.rotate(
                    rotation(session, number, "\(number)", to: "\(number + 1)", at: clock.now))
                if number < 4 {
                    guard case .renewed(let renewed, _, _) = outcome else { throw Unexpected() }
                    #expect(
                        renewed.expiresAt
                            == min(clock.now.addingTimeInterval(7 * 86400), start.addingTimeInterval(30 * 86400)))
                } else {
                    guard case .expired = outcome else { throw Unexpected() }
                }
            }
        },
        Promise("sessions are counted and ended by the mark of their digests, those without a token never") {
            storage async throws in
            let clock = TestClock()
            let now = clock.now
            let id = try await user(storage, at: now)
            let mark: [UInt8] = [1, 2, 3, 4]
            let plain = Array(repeating: UInt8(9), count: 32)
            // Of the first three sessions one is marked; the third will be, but not its previous
            // token. The fourth has the mark, but is too short.
            let digests: [[UInt8]?] = [
                mark + plain, plain, plain, mark + plain.dropFirst(4), nil, [4, 3, 2, 1] + plain,
            ]
            for (number, digest) in digests.enumerated() {
                _ = try await storage.insertSession(
                    Samples.session(number, of: id, at: now, isRenewable: digest != nil), passwordVersion: nil,
                    refreshDigest: digest, limit: 10)
            }
            clock.advance(by: 60)
            let rotation = RefreshRotation(
                sessionID: Samples.session(2, at: now).id, generation: 0, digest: plain,
                successorDigest: { _ in mark + plain }, now: clock.now, inactivityTimeout: 7 * 86400,
                timebox: 30 * 86400)
            guard case .renewed(_, _, let first) = try await storage.rotate(rotation),
                case .repeated(_, _, 0, let again) = try await storage.rotate(rotation)
            else { throw Unexpected() }
            #expect(first == mark + plain)
            #expect(again == mark + plain)
            let count = try await storage.renewableSessions(notMarked: mark, at: clock.now)
            #expect(count.count == 5)
            #expect(count.unmarkedCount == 4)
            #expect(count.lastUnmarkedExpiry == clock.now.addingTimeInterval(7 * 86400))
            let later = try await storage.renewableSessions(notMarked: mark, at: now.addingTimeInterval(30 * 86400))
            #expect(later == RenewableSessions(count: 0, unmarkedCount: 0, lastUnmarkedExpiry: nil))
            #expect(try await storage.endSessions(notMarked: mark, limit: 3, at: clock.now).count == 3)
            #expect(try await storage.endSessions(notMarked: mark, limit: 3, at: clock.now).count == 1)
            #expect(try await storage.endSessions(notMarked: mark, limit: 3, at: clock.now).isEmpty)
            #expect(try await storage.session(id: Samples.session(0, at: now).id) != nil)
            #expect(try await storage.session(id: Samples.session(4, at: now).id) != nil)
            #expect(try await storage.revocations(after: 0, limit: 10).count == 4)
        },
    ]

    private struct Unexpected: Error {}
}
