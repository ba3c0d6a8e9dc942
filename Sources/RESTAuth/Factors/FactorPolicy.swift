import Foundation

/// Rule for who may, and who must, have a second factor.
///
///     configuration.secondFactor.mode = .required
///     configuration.secondFactor.roles = ["admin"]
public struct FactorPolicy: Sendable, Hashable {
    /// Whether users may or must have a second factor.
    public enum Mode: String, Sendable, Hashable, CaseIterable {
        /// None can be added. Those that users have are still asked for.
        case off
        case optional
        case required
    }

    public var mode = Mode.optional

    /// Seconds for which a user who must have a factor can sign in without one. They are counted
    /// for each user, once, from the first sign-in or renewal for which one is required.
    public var grace = 7 * 86400

    /// Roles whose users must have a factor; an empty list means all users.
    public var roles: [String] = []

    package static let graces = 0...365 * 86400

    public init() {}

    /// Whether a user with these roles must have a factor.
    func isRequired(of roles: Set<String>) -> Bool {
        mode == .required && (self.roles.isEmpty || !roles.isDisjoint(with: self.roles))
    }

    /// Checks roles of the policy.
    /// - Throws: ``AuthError/Code/misconfigured`` naming the first that is no ``Role`` or is listed
    ///   twice.
    package static func checkRoles(_ roles: [String]) throws(AuthError) {
        var known = Set<WireText>()
        for role in roles {
            guard (try? Role.check(role)) != nil else {
                throw AuthError(.misconfigured, "\(role.debugDescription) is not a role")
            }
            guard known.insert(WireText(role)).inserted else {
                throw AuthError(.misconfigured, "the role \(role) is there twice")
            }
        }
    }
}

extension AuthConfiguration {
    /// Range of ``trustedDeviceLifetime``: an hour to a year, in seconds.
    package static let trustedDeviceLifetimes = 3600...365 * 86400

    /// Name of the instance in authenticator apps: the host of the issuer, unless one is set.
    var nameInApps: String { totpIssuer ?? URL(string: issuer)?.host() ?? issuer }

    func validateFactors() throws(AuthError) {
        try Self.require(secondFactor.grace, in: FactorPolicy.graces, "grace for a second factor")
        try FactorPolicy.checkRoles(secondFactor.roles)
        if let totpIssuer { try Self.checkTOTPIssuer(totpIssuer) }
        if let trustedDeviceLifetime {
            try Self.require(trustedDeviceLifetime, in: Self.trustedDeviceLifetimes, "lifetime of a trusted device")
        }
    }

    /// Checks a name for authenticator apps, which split what they show at the first colon.
    /// - Throws: ``AuthError/Code/misconfigured``.
    package static func checkTOTPIssuer(_ name: String) throws(AuthError) {
        guard (try? FactorName(name)) != nil, !name.utf8.contains(UInt8(ascii: ":")) else {
            throw AuthError(
                .misconfigured,
                """
                the name \(name.debugDescription) for authenticator apps must have 1 to \(FactorName.longest) \
                characters, no colon, no control characters and no blank at either end
                """)
        }
    }
}
