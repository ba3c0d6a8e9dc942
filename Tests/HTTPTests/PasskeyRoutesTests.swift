import Authenticators
import Foundation
import Hummingbird
import HummingbirdTesting
import NIOCore
import RESTAuth
import RESTAuthHummingbird
import RESTAuthSQLite
import Support
import Synchronization
import Testing

/// `/api/me/passkeys`, `/api/passkeys/options` and signing in with a passkey, by a browser and an
/// authenticator in one.
@Suite struct PasskeyRoutesTests {
    private let auth: Auth
    private let clock = TestTime()
    private var tokens: [String: String] = [:]

    private final class TestTime: Sendable {
        private let time = Mutex(Date(timeIntervalSince1970: 1_800_000_000))
        var now: Date { time.withLock { $0 } }
        func advance(by seconds: TimeInterval) { time.withLock { $0 += seconds } }
    }

    init() async throws {
        var configuration = AuthConfiguration()
        let clock = clock
        configuration.now = { clock.now }
        configuration.relyingParty = try RelyingParty(
            publicURL: "https://example.org", origins: ["https://example.org", "https://shop.example"])
        auth = try await Auth(storage: SQLiteStorage(), configuration: configuration)
        for name in ["miguel", "susan"] {
            _ = try await auth.users.register(name, password: "python")
            let identity = auth.login.vouch(
                for: try await auth.users.find(named: name), provenBy: [.password, .oneTimePassword, .multipleFactors],
                at: clock.now)
            tokens[name] = try await auth.sessions.token(for: identity).value
        }
    }

    private struct Answer {
        let status: HTTPResponse.Status
        let headers: HTTPFields
        let json: JSON?

        subscript(name: String) -> String? { json?[name]?.string }

        func list(_ name: String) -> [JSON] {
            if case .array(let elements)? = json?[name] { elements } else { [] }
        }
    }

    private func send(
        _ method: HTTPRequest.Method, _ path: String, _ body: JSON? = nil, as user: String? = nil
    ) async throws -> Answer {
        let router = Router(context: BasicRequestContext.self)
        auth.addRoutes(to: router)
        var headers: HTTPFields = body == nil ? [:] : [.contentType: "application/json"]
        if let user { headers[.authorization] = "Bearer " + (tokens[user] ?? "") }
        let fields = headers
        return try await Application(router: router).test(.live) { client in
            try await client.execute(
                uri: path, method: method, headers: fields, body: body.map { ByteBuffer(bytes: $0.bytes) }
            ) { Answer(status: $0.status, headers: $0.headers, json: JSON(Array($0.body.readableBytesView))) }
        }
    }

    /// A new authenticator with a passkey that is not added yet.
    private func newAuthenticator(for user: String = "miguel") async throws -> SoftAuthenticator {
        let options = try await send(.post, "/api/me/passkeys/options", as: user)
        try #require(options.status == .ok)
        var authenticator = try SoftAuthenticator(challenge: []).answering(#require(options.json))
        authenticator.credentialID = (0..<16).map { _ in UInt8.random(in: 0...255) }
        authenticator.userHandle = try #require(
            options.json?["user"]?["id"]?.string.flatMap { Base64.url.decode($0.utf8) })
        return authenticator
    }

    private func add(
        _ authenticator: SoftAuthenticator, named name: JSON = "phone", as user: String? = "miguel"
    ) async throws -> Answer {
        let credential = authenticator.json(try authenticator.created())
        return try await send(.post, "/api/me/passkeys", ["name": name, "credential": credential], as: user)
    }

    private func newPasskey(for user: String = "miguel") async throws -> (id: String, key: SoftAuthenticator) {
        var key = try await newAuthenticator(for: user)
        let id = try #require(try await add(key, as: user)["id"])
        key.signCount += 1
        return (id, key)
    }

    private func credential(_ key: SoftAuthenticator, _ options: Answer) throws -> JSON {
        let key = key.answering(try #require(options.json))
        return key.json(try key.got())
    }

    // MARK: The passkeys of a user

    @Test func aPasskeyIsAddedListedRenamedAndDeleted() async throws {
        let key = try await newAuthenticator()
        let added = try await add(key, named: "my phone")
        #expect(added.status == .created && added.headers[.cacheControl] == "no-store")
        let id = try #require(added["id"])
        #expect(added.headers[.location]?.hasSuffix("/api/me/passkeys/\(id)") == true)
        #expect(added["name"] == "my phone" && added.list("recovery_codes").count == 10)
        #expect(added["credential_id"] == Base64.url.encode(key.credentialID))
        #expect(added["aaguid"] == "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa")
        let listed = try await send(.get, "/api/me/passkeys", as: "miguel")
        #expect(listed.list("passkeys").map { $0["id"]?.string } == [id])
        // Nothing of it is of use to anybody but the authenticator.
        #expect(listed.list("passkeys").first?["public_key"] == nil)
        #expect(listed.json?["accepted_credentials"]?["rpId"] == "example.org")
        let renamed = try await send(.patch, "/api/me/passkeys/\(id)", ["name": "key"], as: "miguel")
        #expect(renamed.status == .ok && renamed["name"] == "key" && renamed["id"] == id)
        let deleted = try await send(.delete, "/api/me/passkeys/\(id)", as: "miguel")
        #expect(deleted.status == .ok)
        #expect(deleted.json?["accepted_credentials"]?["allAcceptedCredentialIds"] == [])
        #expect(try await send(.delete, "/api/me/passkeys/\(id)", as: "miguel")["code"] == "passkey_not_found")
        #expect(try await send(.get, "/api/me/passkeys", as: "miguel").list("passkeys").isEmpty)
        #expect(try await send(.get, "/api/me/passkeys", as: "susan").json?["accepted_credentials"] == .null)
    }

    @Test func whatIsNoPasskeyIsRefused() async throws {
        let key = try await newAuthenticator()
        let credential = key.json(try key.created())
        let bodies: [(JSON, field: String?)] = [
            ([:], "name"), (["name": "phone"], "credential"), (["credential": credential], "name"),
            (["name": "phone", "credential": "x"], "credential"), (["name": "phone", "credential": [:]], "credential"),
            (["name": "phone", "credential": .null], "credential"), (["name": 1, "credential": credential], "name"),
            (["name": "", "credential": credential], "name"),
            (["name": .string(String(repeating: "x", count: 65)), "credential": credential], "name"),
        ]
        for (body, field) in bodies {
            let answer = try await send(.post, "/api/me/passkeys", body, as: "miguel")
            #expect(answer.status == .badRequest && answer["code"] == "validation_failed", "\(body)")
            guard case .array(let errors)? = answer.json?["errors"] else { continue }
            #expect(errors.first?["pointer"]?.string == field.map { "/\($0)" }, "\(body)")
        }
        let stolen = try await add(key, as: "susan")
        #expect(stolen.status == .forbidden && stolen["code"] == "challenge_invalid")
        let (_, other) = try await newPasskey(for: "susan")
        var same = key
        same.credentialID = other.credentialID
        let taken = try await add(same)
        #expect(taken.status == .conflict && taken["code"] == "passkey_already_exists")
        #expect(try await send(.get, "/api/me/passkeys", as: "miguel").list("passkeys").isEmpty)
        // The refusal says nothing of its reason, which a log has.
        var elsewhere = try await newAuthenticator()
        elsewhere.set("origin", #""https://evil.example""#)
        let refused = try await add(elsewhere)
        #expect(refused.status == .badRequest && refused["detail"]?.contains("origin") == false)
    }

    @Test func nobodyAndNobodyElseComesNearAPasskey() async throws {
        let (id, _) = try await newPasskey()
        for (method, path) in [
            (HTTPRequest.Method.get, "/api/me/passkeys"), (.post, "/api/me/passkeys"),
            (.post, "/api/me/passkeys/options"), (.patch, "/api/me/passkeys/\(id)"),
            (.delete, "/api/me/passkeys/\(id)"),
        ] {
            #expect(try await send(method, path, [:]).status == .unauthorized)
        }
        #expect(try await send(.delete, "/api/me/passkeys/\(id)", as: "susan")["code"] == "passkey_not_found")
        let renamed = try await send(.patch, "/api/me/passkeys/\(id)", ["name": "x"], as: "susan")
        #expect(renamed.status == .notFound && renamed["code"] == "passkey_not_found")
        for segment in ["x", "%00", id.lowercased(), "options"] {
            let answer = try await send(.delete, "/api/me/passkeys/\(segment)", as: "miguel")
            #expect((400..<500).contains(answer.status.code), "\(segment)")
        }
        #expect(try await auth.passkeys.list(of: 1).count == 1)
    }

    @Test func theTwentyFirstIsOneTooMany() async throws {
        for _ in 0..<Passkeys.limit { _ = try await newPasskey() }
        let answer = try await add(newAuthenticator())
        #expect(answer.status == .conflict && answer["code"] == "too_many_factors")
    }

    // MARK: Signing in

    @Test(arguments: [[:], ["username": "miguel"]] as [JSON])
    func aPasskeyStartsASession(body: JSON) async throws {
        let (_, key) = try await newPasskey()
        let options = try await send(.post, "/api/passkeys/options", body)
        #expect(options.status == .ok && options.headers[.cacheControl] == "no-store")
        let body: JSON = ["credential": try credential(key, options)]
        let answer = try await send(.post, "/api/tokens", body)
        #expect(answer.status == .ok && answer["refresh_token"] != nil)
        let token = try #require(answer["access_token"])
        let identity = try await auth.accessTokens.verify(Array(token.utf8))
        #expect(identity.username == "miguel" && identity.authentication.contextClass == "aal2")
        let again = try await send(.post, "/api/tokens", body)
        #expect(again.status == .unauthorized && again["code"] == "invalid_credentials")
    }

    @Test func withoutABodyAnyPasskeyWillDo() async throws {
        let options = try await send(.post, "/api/passkeys/options")
        #expect(options.status == .ok && options.json?["allowCredentials"] == [])
    }

    @Test func aPasskeyFollowsAPassword() async throws {
        let (_, key) = try await newPasskey()
        let first = try await send(.post, "/api/tokens", ["username": "miguel", "password": "python"])
        #expect(first.status == .unauthorized && first["code"] == "mfa_required")
        #expect(first.list("factors").map { $0["type"]?.string } == ["passkey", "recovery_codes"])
        let ticket = JSON.string(try #require(first["ticket"]))
        let options = try await send(.post, "/api/passkeys/options", ["ticket": ticket])
        let answer = try credential(key, options)
        let plain = try credential(key, try await send(.post, "/api/passkeys/options"))
        let wrong = try await send(.post, "/api/tokens", ["ticket": ticket, "credential": plain])
        #expect(wrong["code"] == "invalid_code")
        let second = try await send(.post, "/api/tokens", ["ticket": ticket, "credential": answer])
        #expect(second.status == .ok && second["access_token"] != nil)
        let late = try await send(.post, "/api/tokens", ["ticket": ticket, "credential": answer])
        #expect(late["code"] == "ticket_expired")
    }

    /// One answer for all of these.
    @Test func whatIsNotRightSignsNobodyIn() async throws {
        let (id, key) = try await newPasskey()
        let (_, other) = try await newPasskey(for: "susan")
        func options(_ body: JSON = [:]) async throws -> Answer {
            try await send(.post, "/api/passkeys/options", body)
        }
        let stranger = try await newAuthenticator()
        var wrongKey = key
        wrongKey.key = stranger.key
        var credentials: [JSON] = try await [
            [:], ["id": "x"], credential(stranger, options()), credential(wrongKey, options()),
            credential(other, options(["username": "miguel"])), credential(key, options(["username": "nobody"])),
        ]
        let expired = try await credential(key, options())
        clock.advance(by: 300)
        credentials.append(expired)
        let ofDeleted = try await credential(key, options())
        #expect(try await send(.delete, "/api/me/passkeys/\(id)", as: "miguel").status == .ok)
        credentials.append(ofDeleted)
        for credential in credentials {
            let answer = try await send(.post, "/api/tokens", ["credential": credential])
            #expect(answer.status == .unauthorized && answer["code"] == "invalid_credentials")
            #expect(answer["detail"] == "Unauthorized Access")
            #expect(answer.headers[.wwwAuthenticate] != nil)
        }
        for credential: JSON in ["x", 1, [], true] {
            #expect(try await send(.post, "/api/tokens", ["credential": credential]).status == .badRequest)
        }
        #expect(try await send(.post, "/api/tokens", ["credential": .null])["code"] == "validation_failed")
    }

    @Test func aSessionHasOptionsOfItsOwn() async throws {
        #expect(try await send(.post, "/api/passkeys/options", [:], as: "susan")["code"] == "factor_not_found")
        let (_, key) = try await newPasskey()
        let options = try await send(.post, "/api/passkeys/options", [:], as: "miguel")
        #expect(options.status == .ok && options.json?["userVerification"] == "preferred")
        let answer = try await send(.post, "/api/tokens", ["credential": try credential(key, options)])
        #expect(answer["code"] == "invalid_credentials")
    }

    @Test func optionsAreForOneThing() async throws {
        let both: JSON = ["username": "miguel", "ticket": "x"]
        #expect(try await send(.post, "/api/passkeys/options", both)["code"] == "validation_failed")
        #expect(try await send(.post, "/api/passkeys/options", ["ticket": "x"])["code"] == "ticket_expired")
        let named = try await send(.post, "/api/passkeys/options", ["username": "miguel"], as: "miguel")
        #expect(named["code"] == "validation_failed")
        #expect(try await send(.post, "/api/passkeys/options", ["username": 1]).status == .badRequest)
        #expect(try await send(.post, "/api/passkeys/options", [:], as: "x").status == .unauthorized)
    }

    @Test func theOtherSitesAreListed() async throws {
        let answer = try await send(.get, "/.well-known/webauthn")
        #expect(answer.status == .ok && answer.headers[.contentType] == "application/json")
        #expect(answer.json == ["origins": ["https://shop.example"]])
    }

    @Test func withoutADomainThereAreNone() async throws {
        let auth = try await Auth(storage: SQLiteStorage())
        let router = Router(context: BasicRequestContext.self)
        auth.addRoutes(to: router)
        try await Application(router: router).test(.live) { client in
            for (method, path, code) in [
                (HTTPRequest.Method.post, "/api/passkeys/options", "passkeys_disabled"),
                (.get, "/.well-known/webauthn", "not_found"),
            ] {
                try await client.execute(uri: path, method: method) {
                    #expect($0.status == .notFound)
                    #expect(JSON(Array($0.body.readableBytesView))?["code"]?.string == code)
                }
            }
        }
    }
}
