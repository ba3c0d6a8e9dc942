public import Foundation

/// A condition that a route sets for its users, beyond valid credentials.
///
///     [.signedIn(within: 300), .anyRole("admin", "auditor")]     // all of a list must hold
public struct Requirement: Sendable, Hashable {
    private enum Rule: Sendable, Hashable {
        case signedIn
        case recently(seconds: Int)
        case secondFactor(seconds: Int?)
        case anyRole(Set<String>)
        case allRoles(Set<String>)
        case optional
    }

    private let rule: Rule

    /// A signed-in user.
    public static let signedIn = Requirement(rule: .signedIn)

    /// A user who gave a password no longer ago than that many seconds (`auth_time`, RFC 9470).
    public static func signedIn(within seconds: Int) -> Requirement { Requirement(rule: .recently(seconds: seconds)) }

    /// A user who gave a second factor with the password, whenever that was.
    public static let secondFactor = Requirement(rule: .secondFactor(seconds: nil))

    /// A user who gave a second factor no longer ago than that many seconds (RFC 9470).
    public static func secondFactor(within seconds: Int) -> Requirement {
        Requirement(rule: .secondFactor(seconds: seconds))
    }

    /// A user with at least one of these roles.
    public static func anyRole(_ roles: String...) -> Requirement { Requirement(rule: .anyRole(Set(roles))) }

    /// A user with at least one of these roles, which are not known before a request.
    package static func anyRole(of roles: Set<String>) -> Requirement { Requirement(rule: .anyRole(roles)) }

    /// A user with every one of these roles.
    public static func allRoles(_ roles: String...) -> Requirement { Requirement(rule: .allRoles(Set(roles))) }

    /// No user at all is required. Wrong credentials are refused all the same.
    public static let optional = Requirement(rule: .optional)

    /// Checks that the requirement holds.
    /// - Throws: `credentials_required` for nobody, `insufficient_user_authentication` for a
    ///   password that was given too long ago or a second factor that was not, `forbidden` for a
    ///   role that is missing.
    public func check(_ identity: UserIdentity?, at now: @autoclosure () -> Date) throws(AuthError) {
        if rule == .optional { return }
        guard let identity else { throw .credentialsRequired }
        switch rule {
        case .signedIn, .optional: return
        case .recently(let seconds):
            guard now().timeIntervalSince(identity.authenticatedAt) <= TimeInterval(seconds) else {
                throw AuthError(
                    .insufficientUserAuthentication,
                    "Unauthorized Access: give the password again, the last time was too long ago",
                    maxAge: seconds)
            }
        case .secondFactor(let seconds):
            let age = now().timeIntervalSince(identity.authenticatedAt)
            guard identity.authentication.methods.contains(.multipleFactors),
                seconds.map({ age <= TimeInterval($0) }) ?? true
            else {
                throw AuthError(
                    .insufficientUserAuthentication,
                    "Unauthorized Access: a second factor is needed, give one at POST /api/tokens/step-up",
                    maxAge: seconds, contextClass: "aal2")
            }
        case .anyRole(let roles):
            guard !identity.roles.isDisjoint(with: roles) else { throw Self.forbidden }
        case .allRoles(let roles):
            guard identity.roles.isSuperset(of: roles) else { throw Self.forbidden }
        }
    }

    private static let forbidden = AuthError(.forbidden, "this needs a role that you do not have")
}
