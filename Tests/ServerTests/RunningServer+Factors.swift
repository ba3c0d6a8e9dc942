import Foundation
import RESTAuth
import Support
import Testing

/// An authenticator app of an account.
struct AccountApp {
    let secret: TOTPSecret
    let recoveryCodes: [String]
}

extension RunningServer {
    /// Adds an app to an account and confirms it.
    func addApp(to account: Account) async throws -> AccountApp {
        let access = bearer(try await signIn(account).access)
        let type = "Content-Type: application/json"
        let added = try await send(
            "POST", "/api/me/factors", headers: [access, type], body: json(["type": "totp", "name": "phone"]))
        let id = try #require(added.json["id"] as? String, "\(added.body)")
        let secret = try #require(
            (added.json["secret"] as? String).flatMap { Base32.decode($0.utf8) }.flatMap(TOTPSecret.init))
        let code = secret.code(for: TOTP.step(at: .now)).value
        let confirmed = try await send(
            "PUT", "/api/me/factors/\(id)", headers: [access, type], body: json(["code": code]))
        let codes = try #require(confirmed.json["recovery_codes"] as? [String], "\(confirmed.body)")
        #expect(try await send("DELETE", "/api/tokens", headers: [access]).status == 204)
        return AccountApp(secret: secret, recoveryCodes: codes)
    }
}
