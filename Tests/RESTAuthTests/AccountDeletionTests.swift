import RESTAuth
import Testing

/// The conditions for deleting an account.
@Suite struct AccountDeletionTests {
    private func code(_ deletion: () async throws -> Void) async -> AuthError.Code? {
        do {
            try await deletion()
            return nil
        } catch {
            return (error as? AuthError)?.code
        }
    }

    @Test func whoCameByATokenGivesThePassword() async throws {
        let test = try await TestAuth()
        let identity = try await test.verify(test.session().access)
        let users = test.auth.users
        #expect(await code { try await users.deleteAccount(of: identity, confirming: nil) } == .validationFailed)
        for wrong in ["", "Python", "python\u{0}"] {
            let refusal = await code { try await users.deleteAccount(of: identity, confirming: wrong) }
            #expect(refusal == .currentPasswordInvalid)
        }
        #expect(try await users.find(identity.userID).username == "miguel")
        try await users.deleteAccount(of: identity, confirming: "python")
        #expect(await code { _ = try await users.find(identity.userID) } == .userNotFound)
        // The name no longer belongs to a user.
        let again = await code { try await users.deleteAccount(of: identity, confirming: "python") }
        #expect(again == .currentPasswordInvalid)
    }

    @Test func whoCameByThePasswordHasGivenItAndMayNotTakeItBack() async throws {
        let test = try await TestAuth()
        _ = try await test.auth.users.register("miguel", password: "python")
        let identity = try await test.auth.login.identify("miguel", password: "python")
        let refusal = await code { try await test.auth.users.deleteAccount(of: identity, confirming: "wrong") }
        #expect(refusal == .currentPasswordInvalid)
        try await test.auth.users.deleteAccount(of: identity, confirming: nil)
        #expect(await code { _ = try await test.auth.users.find(identity.userID) } == .userNotFound)
    }
}
