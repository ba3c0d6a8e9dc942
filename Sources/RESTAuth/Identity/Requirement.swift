public import Foundation

/// A condition that a route sets for its callers, beyond valid credentials.
///
///     [.signedIn(within: 300), .anyRole("admin", "auditor")]     // all of a list must hold
///
/// A token for programs is admitted by a list with ``scope(_:)`` only, and a service account only
/// if nothing else in the list is about users.
public struct Requirement: Sendable, Hashable {
    private enum Rule: Sendable, Hashable {
        case signedIn
        case recently(seconds: Int)
        case secondFactor(seconds: Int?)
        case anyRole(Set<String>)
        case allRoles(Set<String>)
        case scope(String)
        case operates(changing: Bool)
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

    /// A user or a service account. A token for programs must have this word in its scope; a user
    /// without one, by a password or in a session, may do everything.
    ///
    ///     [.scope("notes:write")]                // users, and programs with that scope
    ///     [.signedIn, .scope("notes:write")]     // users, and programs of users with that scope
    public static func scope(_ word: String) -> Requirement { Requirement(rule: .scope(word)) }

    /// An operator: a user with the role ``Role/operator``, who has signed in within the last 15
    /// minutes for what changes something; or a service account with the scope ``Scope/operator``,
    /// or with ``Scope/operatorRead`` for what changes nothing. A program of a user needs the role
    /// of the user and the scope, and changes nothing, because it does not sign in.
    package static func operates(changing: Bool) -> Requirement { Requirement(rule: .operates(changing: changing)) }

    /// No user at all is required. Wrong credentials are refused all the same.
    public static let optional = Requirement(rule: .optional)

    /// Whether a list with this requirement admits tokens for programs.
    fileprivate var admitsPrograms: Bool {
        switch rule {
        case .scope, .operates: true
        case .signedIn, .recently, .secondFactor, .anyRole, .allRoles, .optional: false
        }
    }

    // MARK: Checking

    /// Checks that the requirement holds. By itself it says nothing about tokens for programs: a
    /// whole list is checked by `[Requirement].check(_:at:)`.
    /// - Throws: `credentials_required` for nobody, `insufficient_user_authentication` for a
    ///   password that was given too long ago or a second factor that was not, `forbidden` for a
    ///   role that is missing and for a service account where a user is required,
    ///   `insufficient_scope`.
    public func check(_ identity: Identity?, at now: @autoclosure () -> Date) throws(AuthError) {
        if rule == .optional { return }
        switch identity {
        case nil, .client, .operator: throw .credentialsRequired
        case .user(let user): try check(user, at: now())
        case .service(let service): try check(service)
        }
    }

    /// Checks that the requirement holds for a user, as ``check(_:at:)`` does.
    @_disfavoredOverload
    public func check(_ user: UserIdentity?, at now: @autoclosure () -> Date) throws(AuthError) {
        if rule == .optional { return }
        guard let user else { throw .credentialsRequired }
        switch rule {
        case .signedIn, .optional: return
        case .recently(let seconds):
            guard user.authentication.isRecent(within: seconds, at: now()) else {
                throw AuthError(
                    .insufficientUserAuthentication,
                    "Unauthorized Access: give the password again, at POST /api/tokens/step-up; it was too long ago",
                    maxAge: seconds)
            }
        case .secondFactor(let seconds):
            let isRecent = seconds.map { user.authentication.isRecent(within: $0, at: now()) } ?? true
            guard user.authentication.methods.contains(.multipleFactors), isRecent else {
                throw AuthError(
                    .insufficientUserAuthentication,
                    "Unauthorized Access: a second factor is needed, give one at POST /api/tokens/step-up",
                    maxAge: seconds, contextClass: "aal2")
            }
        case .anyRole(let roles):
            guard !user.roles.isDisjoint(with: roles) else { throw Self.forbidden }
        case .allRoles(let roles):
            guard user.roles.isSuperset(of: roles) else { throw Self.forbidden }
        case .scope(let word):
            guard user.scope?.allows(word) ?? true else { throw .insufficientScope(word) }
        case .operates(let isChanging):
            guard user.roles.contains(Role.operator) else { throw Self.operatorsOnly }
            let word = Self.operatorScope(changing: isChanging)
            guard user.scope?.allows(word) ?? true else { throw .insufficientScope(word) }
            if isChanging {
                guard user.isPerson else { throw Self.readsOnly }
                try Self.signedIn(within: Factors.recently).check(user, at: now())
            }
        }
    }

    private func check(_ service: ServiceIdentity) throws(AuthError) {
        let word: String
        switch rule {
        case .optional: return
        case .signedIn, .recently, .secondFactor, .anyRole, .allRoles: throw .usersOnly
        case .scope(let required): word = required
        case .operates(let isChanging): word = Self.operatorScope(changing: isChanging)
        }
        guard service.scope.allows(word) else { throw .insufficientScope(word) }
    }

    private static func operatorScope(changing: Bool) -> String { changing ? Scope.operator : Scope.operatorRead }

    private static let forbidden = AuthError(.forbidden, "this needs a role that you do not have")

    private static let operatorsOnly = AuthError(
        .forbidden, "this needs the role \(Role.operator): a token has it if you had it when the token was issued")

    private static let readsOnly = AuthError(
        .insufficientScope, "a personal token only reads here: sign in, or use a service account")
}

extension [Requirement] {
    /// Checks that all requirements hold; an empty list requires a signed-in user. A token for
    /// programs is refused by a list that names no scope.
    /// - Throws: what `Requirement.check` throws.
    public func check(_ identity: Identity?, at now: @autoclosure () -> Date) throws(AuthError) {
        try check(identity, admittingPrograms: false, at: now())
    }

    /// - Parameter admitsPrograms: whether tokens for programs are admitted whatever their scope,
    ///   and service accounts by an empty list.
    package func check(
        _ identity: Identity?, admittingPrograms admitsPrograms: Bool, at now: @autoclosure () -> Date
    ) throws(AuthError) {
        if !admitsPrograms, let identity, identity.scope != nil, !contains(where: \.admitsPrograms) {
            throw identity.user == nil ? .usersOnly : .insufficientScope(nil)
        }
        guard !isEmpty else {
            if admitsPrograms, identity?.service != nil { return }
            return try Requirement.signedIn.check(identity, at: now())
        }
        for requirement in self { try requirement.check(identity, at: now()) }
    }
}

extension UserIdentity {
    /// Checks that the user is here in person: not a program with one of the user's tokens.
    /// - Throws: `insufficient_scope`.
    package func requirePerson() throws(AuthError) {
        guard isPerson else { throw .insufficientScope(nil) }
    }

    var isPerson: Bool { if case .personalToken = presented { false } else { true } }
}
