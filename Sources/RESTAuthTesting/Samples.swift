public import Foundation
public import RESTAuth
import Synchronization

/// A clock that stands still until it is moved.
public final class TestClock: Sendable {
    private let time: Mutex<Date>

    /// Makes a clock at `start`, in whole seconds, so that times survive every backend unchanged.
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
    /// A text in the form of a hash; no password is known to match it.
    public static let passwordHash =
        "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$Zz2pQtBgzTLzPDNeqxZMRfHaFTxcVqbgEvQCmV3XGY0"

    /// Makes an event of an anonymous request, about no user unless one is given.
    public static func event(
        _ name: AuthEvent.Name, user: User.ID? = nil, session: Session.ID? = nil, _ details: [String: String] = [:],
        by caller: Caller = Caller(address: "192.0.2.1", userAgent: "curl/8", requestID: "0123456789abcdef"),
        at date: Date = Date(timeIntervalSince1970: 1_800_000_000)
    ) -> AuthEvent {
        AuthEvent(name, user: user, session: session, details).by(caller, at: date)
    }

    public static func signingKey(_ id: String = "key", at date: Date, follows: String = "") -> StoredSigningKey {
        StoredSigningKey(
            id: id, algorithm: "ES256", sealed: Array(id.utf8), createdAt: date, signsFrom: date, follows: follows)
    }

    /// Makes a session that expires in a week, of the user with id 1 unless another is given.
    public static func session(_ number: Int = 0, of user: User.ID = 1, at date: Date, isRenewable: Bool = true)
        -> Session
    {
        let digits = String(number)
        let id = "00000000-0000-7000-8000-" + String(repeating: "0", count: 12 - digits.count) + digits
        guard let id = Session.ID(id) else { preconditionFailure("\(number) has too many digits") }
        return Session(
            id: id, userID: user, createdAt: date, methods: [.password], lastUsedAt: date,
            expiresAt: date.addingTimeInterval(7 * 86400),
            origin: SessionOrigin(address: "192.0.2.1", userAgent: "curl/8"), isRenewable: isRenewable)
    }
}
