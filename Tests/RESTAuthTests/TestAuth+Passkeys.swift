import Authenticators
import Foundation
import PasswordHashing
import RESTAuth
import RESTAuthTesting
import Testing

extension TestAuth {
    static func withPasskeys(_ configure: (inout AuthConfiguration) -> Void = { _ in }) async throws -> TestAuth {
        let party = try RelyingParty(publicURL: "https://example.org")
        return try await TestAuth {
            $0.relyingParty = party
            configure(&$0)
        }
    }

    /// A new authenticator with a passkey of its own, which is not added yet.
    func newAuthenticator(
        for user: UserIdentity, _ algorithm: PasskeyAlgorithm = .es256
    ) async throws -> SoftAuthenticator {
        let options = try await auth.passkeys.registrationOptions(for: user)
        var authenticator = try SoftAuthenticator(algorithm, challenge: []).answering(options.json)
        authenticator.credentialID = Random.bytes(16)
        authenticator.userHandle = try #require(
            options.json["user"]?["id"]?.string.flatMap { Base64.url.decode($0.utf8) })
        return authenticator
    }

    /// A passkey that was added.
    func newPasskey(
        of user: UserIdentity, named name: String = "phone", flags: UInt8 = 0x05
    ) async throws -> (authenticator: SoftAuthenticator, added: Passkeys.Added) {
        var authenticator = try await newAuthenticator(for: user)
        authenticator.flags = flags
        let added = try await auth.passkeys.add(authenticator.createdText, named: name, for: user)
        authenticator.signCount += 1
        return (authenticator, added)
    }

    /// A user without a password.
    func userWithoutPassword(_ name: String) async throws -> UserIdentity {
        let bare = ImportableUser(id: nil, name: try Username(name), passwordHash: nil, createdAt: clock.now)
        _ = try await storage.importUsers([bare], above: 0, isTrial: false)
        return try await proven(auth.users.find(named: name).id)
    }

    func recorded(_ name: AuthEvent.Name) async throws -> Int {
        try await storage.events(after: 0, limit: 1000).filter { $0.fields.name == name.rawValue }.count
    }
}
