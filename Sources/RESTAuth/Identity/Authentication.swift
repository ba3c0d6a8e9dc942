public import Foundation

/// What was proven about somebody, and when: the facts behind `amr`, `acr` and `auth_time`.
public struct Authentication: Sendable, Hashable {
    /// A way to prove who one is, by its name in `amr` (RFC 8176 section 2).
    public struct Method: RawRepresentable, Sendable, Hashable {
        public let rawValue: String

        public init(rawValue: String) { self.rawValue = rawValue }

        /// A password.
        public static let password = Method(rawValue: "pwd")
        /// A one-time code.
        public static let oneTimePassword = Method(rawValue: "otp")
        /// A key that does not leave its hardware.
        public static let hardwareKey = Method(rawValue: "hwk")
        /// A key in software, which can be copied.
        public static let softwareKey = Method(rawValue: "swk")
        /// More than one kind of proof.
        public static let multipleFactors = Method(rawValue: "mfa")
        /// The risk was judged, as by a device that is known.
        public static let risk = Method(rawValue: "rba")
    }

    /// In the order of `amr`: none where what was proven is not known.
    public let methods: [Method]
    /// When that was, to the second: `auth_time` (RFC 9470, OpenID Connect Core section 2).
    public let at: Date

    package init(_ methods: [Method], at: Date) {
        self.methods = methods
        self.at = at
    }

    /// `acr`: `aal2` for more than one factor, `aal1` for one (NIST SP 800-63B), `nil` where what
    /// was proven is not known.
    public var contextClass: String? {
        if methods.isEmpty { return nil }
        return methods.contains(.multipleFactors) ? "aal2" : "aal1"
    }
}
