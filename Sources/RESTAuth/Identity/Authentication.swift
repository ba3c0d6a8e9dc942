public import Foundation

/// The methods by which a user was identified, and when: the facts behind `amr`, `acr` and
/// `auth_time`.
public struct Authentication: Sendable, Hashable {
    /// A method of proving one's identity, by its name in `amr` (RFC 8176 section 2).
    public struct Method: RawRepresentable, Sendable, Hashable {
        public let rawValue: String

        /// A name of 1 to 32 visible characters of ASCII, so that several can stand in one text;
        /// `nil` for anything else.
        public init?(rawValue: String) {
            guard (1...32).contains(rawValue.utf8.count), rawValue.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
            else { return nil }
            self.rawValue = rawValue
        }

        private init(known name: String) { rawValue = name }

        /// A password.
        public static let password = Method(known: "pwd")
        /// A one-time code.
        public static let oneTimePassword = Method(known: "otp")
        /// A key that does not leave its hardware.
        public static let hardwareKey = Method(known: "hwk")
        /// A key in software, which can be copied.
        public static let softwareKey = Method(known: "swk")
        /// A user who was there and verified, by a PIN or a finger.
        public static let userPresence = Method(known: "user")
        /// More than one kind of proof.
        public static let multipleFactors = Method(known: "mfa")
        /// An assessment of the risk, for instance by a known device.
        public static let risk = Method(known: "rba")
    }

    /// The methods in the order of `amr`; empty where they are not known.
    public let methods: [Method]
    /// The time of the authentication, to the second: `auth_time` (RFC 9470, OpenID Connect Core
    /// section 2).
    public let at: Date

    /// One array that all identities by password share: tokens are remembered by the hundred
    /// thousand.
    fileprivate static let passwordAlone: [Method] = [.password]

    package init(_ methods: [Method], at: Date) {
        self.methods = methods
        self.at = at
    }

    /// `acr`: `aal2` for more than one factor, `aal1` for one (NIST SP 800-63B), `nil` where the
    /// methods are not known.
    public var contextClass: String? { methods.contextClass }
}

extension Authentication {
    /// Whether it was no longer ago than that many seconds. A time in the future, further than
    /// clocks may differ, is not recent: it would stay so until that time has come.
    package func isRecent(within seconds: Int, at now: Date) -> Bool {
        let age = now.timeIntervalSince(at)
        return age <= TimeInterval(seconds) && age >= -TimeInterval(AccessTokenClaims.clockSlack)
    }
}

extension [Authentication.Method] {
    /// A password and nothing else.
    package static var passwordAlone: Self { Authentication.passwordAlone }

    /// `acr`, as in ``Authentication/contextClass``.
    package var contextClass: String? {
        if isEmpty { return nil }
        return contains(.multipleFactors) ? "aal2" : "aal1"
    }

    /// The names with blanks between, for a database row; empty for none.
    package var text: String { map(\.rawValue).joined(separator: " ") }
}

extension Authentication.Method {
    /// Reads what ``text`` wrote; what is no method is left out.
    package static func list(in text: String) -> [Self] {
        // Nearly every session's, read with each of its renewals.
        if text == password.rawValue { return .passwordAlone }
        let names = text.utf8.split(separator: UInt8(ascii: " "))
        return names.compactMap { Self(rawValue: String(decoding: $0, as: UTF8.self)) }
    }
}
