public import Foundation
public import RESTAuth
import Synchronization

/// A clock that stands still until it is moved.
public final class TestClock: Sendable {
    private let time: Mutex<Date>

    /// Whole seconds, so that times survive every backend unchanged.
    public init(_ start: Date = Date(timeIntervalSince1970: 1_800_000_000)) {
        time = Mutex(start)
    }

    public var now: Date { time.withLock { $0 } }

    public func advance(by seconds: TimeInterval) {
        time.withLock { $0 += seconds }
    }
}

/// Values for tests.
public enum Samples {
    /// Has the outline of a hash; no password is known to be behind it.
    public static let passwordHash =
        "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$Zz2pQtBgzTLzPDNeqxZMRfHaFTxcVqbgEvQCmV3XGY0"

    public static func signingKey(_ id: String = "key", at date: Date) -> StoredSigningKey {
        StoredSigningKey(id: id, algorithm: "ES256", sealed: Array(id.utf8), createdAt: date)
    }
}
