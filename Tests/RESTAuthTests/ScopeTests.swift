import Foundation
import RESTAuth
import RESTAuthTesting
import Testing

@Suite struct ScopeTests {
    // MARK: Words

    @Test(arguments: [
        ["profile"], ["notes:write"], ["a"], [String(repeating: "a", count: 64)], ["!#[]~"], ["a", "A"], ["a,b"],
        (1...20).map { "w\($0)" }, Array(Scope.own),
    ])
    func wordsOfTheSyntaxAreTaken(words: [String]) {
        #expect(throws: Never.self) { try Scope.check(words) }
    }

    @Test(arguments: [
        [], [""], ["a b"], [" a"], ["\"a\""], ["a\""], ["a\\b"], ["ä"], ["a\n"], ["a\u{7F}"], ["a\u{0}"], ["a\t"],
        [String(repeating: "a", count: 65)], ["a", "a"], ["a", ""], (1...21).map { "w\($0)" },
        [String(repeating: "a", count: 10_000)], ["é"], ["e\u{301}"], ["🔑"], ["profile", "sessions", "profile"],
    ])
    func allElseIsRefused(words: [String]) {
        let error = #expect(throws: AuthError.self) { try Scope.check(words) }
        #expect(error?.code == .validationFailed)
        #expect(error?.field == "scopes")
    }

    @Test(arguments: [
        ("operator", "operator:read", true), ("operator:read", "operator", false),
        ("operator:read", "operator:read", true),
        ("operator", "profile", false), ("profile", "operator:read", false), ("profile", "Profile", false),
        ("profile", "profil", false), ("operator:write", "operator", false), ("operator:write", "operator:read", false),
        ("profile:read", "profile", false),
    ])
    func noWordIncludesAnotherButThatOfOperators(held: String, needed: String, isAllowed: Bool) {
        #expect(Set([held]).allows(needed) == isAllowed)
    }

    // MARK: Requirements

    private static let now = TestClock().now

    private static func user(_ scope: Set<String>?, roles: Set<String> = [], age: TimeInterval = 0) -> Identity {
        .user(
            UserIdentity(
                userID: 1, username: "a", roles: roles,
                authentication: scope == nil
                    ? Authentication([.password], at: now.addingTimeInterval(-age))
                    : Authentication([], at: Date(timeIntervalSince1970: 0)),
                presented: scope == nil ? .password : .personalToken(Session.ID(at: now)), scope: scope))
    }

    private static func service(_ scope: Set<String>) -> Identity {
        .service(ServiceIdentity(id: "backup", scope: scope, tokenID: Session.ID(at: now)))
    }

    private func refusal(of requirements: [Requirement], _ identity: Identity?) -> AuthError? {
        do {
            try requirements.check(identity, at: Self.now)
            return nil
        } catch {
            return error
        }
    }

    private static let aboutUsers: [[Requirement]] = [
        [], [.signedIn], [.signedIn(within: 300)], [.secondFactor], [.secondFactor(within: 300)], [.anyRole("admin")],
        [.allRoles()], [.allRoles("admin")], [.optional], [.signedIn, .anyRole("admin")],
    ]

    @Test(arguments: aboutUsers) func aListWithoutAScopeRefusesPrograms(requirements: [Requirement]) {
        for scope in [["profile"], ["operator"], Scope.own, []] as [Set<String>] {
            let error = refusal(of: requirements, Self.user(scope, roles: ["admin"]))
            #expect(error?.code == .insufficientScope)
            #expect(error?.scope == nil)
            #expect(refusal(of: requirements, Self.service(scope)) == .usersOnly)
        }
    }

    @Test func aScopeAdmitsWhoeverHasIt() {
        let requirement = [Requirement.scope("notes:write")]
        #expect(refusal(of: requirement, Self.user(nil)) == nil)
        for scope in [["notes:write"], ["profile", "notes:write"]] as [Set<String>] {
            #expect(refusal(of: requirement, Self.user(scope)) == nil)
            #expect(refusal(of: requirement, Self.service(scope)) == nil)
        }
        for scope in [[], ["notes"], ["notes:writer"], ["NOTES:WRITE"], ["operator"], Scope.own] as [Set<String>] {
            for identity in [Self.user(scope), Self.service(scope)] {
                let error = refusal(of: requirement, identity)
                #expect(error?.code == .insufficientScope)
                #expect(error?.scope == "notes:write")
            }
        }
        #expect(refusal(of: requirement, nil) == .credentialsRequired)
    }

    @Test(arguments: [
        [Requirement.signedIn], [.anyRole("admin")], [.allRoles()], [.secondFactor], [.signedIn(within: 9)],
    ])
    func whatIsAboutUsersRefusesServicesBesideAScopeToo(requirements: [Requirement]) {
        let all = requirements + [.scope("notes:write")]
        #expect(refusal(of: all, Self.service(["notes:write"]))?.code == .forbidden)
        #expect(refusal(of: all.reversed(), Self.service(["notes:write"]))?.code == .forbidden)
    }

    /// A program has not signed in, whatever its owner has done.
    @Test func noProgramHasSignedInRecently() {
        for requirement in [Requirement.signedIn(within: 1_000_000), .secondFactor, .secondFactor(within: 1_000_000)] {
            let error = refusal(of: [requirement, .scope("a")], Self.user(["a"]))
            #expect(error?.code == .insufficientUserAuthentication)
        }
    }

    @Test func allScopesOfAListAreNeeded() {
        let requirements = [Requirement.scope("a"), .scope("b")]
        #expect(refusal(of: requirements, Self.service(["a", "b"])) == nil)
        #expect(refusal(of: requirements, Self.service(["a"]))?.scope == "b")
        #expect(refusal(of: requirements, Self.user(["b"]))?.scope == "a")
    }

    /// The words of adopters' own requirements stand in a header.
    @Test(arguments: ["a\"b", "", "a b", "a\r\nb"]) func aWordThatIsNoneIsNotRepeatedInAChallenge(word: String) {
        let error = refusal(of: [.scope(word)], Self.service(["a"]))
        #expect(error?.code == .insufficientScope)
        #expect(error?.scope == nil)
    }

    // MARK: Operators

    @Test func anOperatorIsAUserWithTheRoleOrAProgramWithTheScope() {
        let roles: Set<String> = [Role.operator]
        for changing in [false, true] {
            let requirement = [Requirement.operates(changing: changing)]
            #expect(refusal(of: requirement, Self.user(nil, roles: roles)) == nil)
            // A program of an operator has not signed in, so it changes nothing.
            let refusalOfProgram = refusal(of: requirement, Self.user(["operator"], roles: roles))
            #expect(refusalOfProgram?.code == (changing ? .insufficientScope : nil))
            #expect(refusal(of: requirement, Self.service(["operator"])) == nil)
            // The scope cuts the role down and does not replace it.
            #expect(refusal(of: requirement, Self.user(["operator"]))?.code == .forbidden)
            #expect(refusal(of: requirement, Self.user(["profile"], roles: roles))?.code == .insufficientScope)
            #expect(refusal(of: requirement, Self.service(["profile", "tokens"]))?.code == .insufficientScope)
            #expect(refusal(of: requirement, Self.user(nil, roles: ["operator"]))?.code == .forbidden)
            #expect(refusal(of: requirement, nil) == .credentialsRequired)
            for identity in [Self.user(["operator:read"], roles: roles), Self.service(["operator:read"])] {
                #expect(refusal(of: requirement, identity)?.scope == (changing ? "operator" : nil))
            }
        }
    }

    @Test func changesTakeARecentSignInOfAUser() {
        let late = Self.user(nil, roles: [Role.operator], age: 901)
        #expect(refusal(of: [.operates(changing: false)], late) == nil)
        let error = refusal(of: [.operates(changing: true)], late)
        #expect(error?.code == .insufficientUserAuthentication)
        #expect(error?.maxAge == 900)
    }
}
