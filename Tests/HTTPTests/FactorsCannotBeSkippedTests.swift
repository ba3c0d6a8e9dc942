import Foundation
import RESTAuth
import Support
import Testing
import Yams

/// No operation gives a token to who has only the password of a user with a second factor.
///
/// The operations are those of `openapi.yaml` whose answer has a token, and what is sent is made of
/// their descriptions: every field that is described, with what such a person could put there. A
/// field, a parameter or a security scheme without a value below is a failure, so a new way to get
/// a token is tried, or noticed.
@Suite(.server()) struct FactorsCannotBeSkippedTests {
    private let server: RunningServer
    private let document: [String: Any]

    init() throws {
        server = try SharedServer.current()
        let file = ExternalProcess.repository.appendingPathComponent("openapi.yaml")
        document = try #require(Yams.load(yaml: String(contentsOf: file, encoding: .utf8)) as? [String: Any])
    }

    // MARK: What is described

    private static let tokens: Set<String> = ["token", "access_token", "refresh_token", "device_token"]

    /// Operations that need a token which such a person could not make, or the role of an operator:
    /// PersonalTokensTests and ServiceAccountRoutesTests try them.
    private static let elsewhere: Set<String> = ["rotateToken", "createServiceToken", "rotateServiceToken"]

    /// An operation whose answer has a token.
    private struct Operation {
        let method: String
        let path: String
        let name: String
        /// Names of security schemes; an empty one for none.
        let schemes: Set<String>
        let parameters: Set<String>
        /// Fields of bodies to send; `nil` for no body.
        let bodies: [Set<String>?]
    }

    private func resolved(_ value: Any?) -> [String: Any] {
        guard let object = value as? [String: Any] else { return [:] }
        guard let reference = object["$ref"] as? String else { return object }
        let parts = reference.components(separatedBy: "/").dropFirst()
        return resolved(parts.reduce(document as Any?) { ($0 as? [String: Any])?[$1] })
    }

    /// A schema and those that it is composed of.
    private func branches(_ schema: Any?) -> [[String: Any]] {
        let schema = resolved(schema)
        let parts = ["anyOf", "oneOf", "allOf"].flatMap { schema[$0] as? [Any] ?? [] }
        return [schema] + parts.flatMap(branches)
    }

    private func properties(_ schema: [String: Any]) -> [String: Any] { schema["properties"] as? [String: Any] ?? [:] }

    private func schema(of part: Any?) -> Any? {
        resolved(resolved(part)["content"]).values.lazy.compactMap { resolved($0)["schema"] }.first
    }

    private func givesToken(_ operation: [String: Any]) -> Bool {
        resolved(operation["responses"]).contains { status, response in
            status.hasPrefix("2")
                && branches(schema(of: response)).contains { !Self.tokens.isDisjoint(with: properties($0).keys) }
        }
    }

    private func bodies(of operation: [String: Any]) -> [Set<String>?] {
        guard let body = operation["requestBody"] else { return [nil] }
        let parts = branches(schema(of: body)).filter { !properties($0).isEmpty }
        var bodies: Set<Set<String>> = []
        for part in parts {
            bodies.insert(Set(part["required"] as? [String] ?? []))
            bodies.insert(Set(properties(part).keys))
        }
        bodies.insert(parts.reduce(into: []) { $0.formUnion(properties($1).keys) })
        return [nil] + bodies.map(\.self)
    }

    private func operations() -> [Operation] {
        (document["paths"] as? [String: Any] ?? [:]).flatMap { path, item in
            // Links that operators make for others sign nobody in: a sign-in follows.
            guard !path.hasPrefix("/api/operator/") else { return [Operation]() }
            let item = resolved(item)
            return item.compactMap { method, operation -> Operation? in
                let operation = resolved(operation)
                guard let name = operation["operationId"] as? String, givesToken(operation),
                    !Self.elsewhere.contains(name)
                else { return nil }
                let parameters = [item, operation].flatMap { $0["parameters"] as? [Any] ?? [] }.map {
                    resolved($0)["name"] as? String ?? "?"
                }
                let schemes = (operation["security"] as? [[String: Any]] ?? []).flatMap {
                    $0.isEmpty ? [""] : Array($0.keys)
                }
                return Operation(
                    method: method.uppercased(), path: path, name: name,
                    schemes: Set(schemes.isEmpty ? [""] : schemes), parameters: Set(parameters),
                    bodies: bodies(of: operation))
            }
        }
    }

    // MARK: What is sent

    /// What a person has.
    private struct Means {
        let account: Account
        /// A ticket that the password gave.
        let ticket: String
        let code: String
        /// Tokens of a session.
        let access: String
        let refresh: String

        func value(of field: String) -> Any? {
            switch field {
            case "username": account.name
            // The password is changed to itself, so that what follows can go on.
            case "password", "current_password", "new_password": account.password
            case "ticket": ticket
            case "code": code
            case "refresh_token": refresh
            case "device_token": String(repeating: "A", count: 43)
            case "trust_device": true
            case "name": "phone"
            case "scopes": ["notes:read"]
            case "expires_in": 3600
            case "credential":
                [
                    "id": "AAAA", "rawId": "AAAA", "type": "public-key", "clientExtensionResults": [:] as [String: Any],
                    "response": ["clientDataJSON": "e30", "authenticatorData": "AAAA", "signature": "AAAA"],
                ] as [String: Any]
            default: nil
            }
        }

        /// Header lines for a scheme.
        func authorization(_ scheme: String) -> [[String]]? {
            switch scheme {
            case "": [[]]
            case "basic": [[account.basic], [basic(access, "")], [basic(ticket, "")]]
            case "bearer": [[bearer(access)], [bearer(ticket)]]
            default: nil
            }
        }

        func parameter(_ name: String) -> String? {
            switch name {
            case "X-OTP": "X-OTP: \(code)"
            case "device_token", "refresh_token": value(of: name).map { "Cookie: \(name)=\($0)" }
            default: nil
            }
        }
    }

    /// Sends everything that can be made of these means, until `isEnough`.
    private func attempt(
        _ operation: Operation, _ means: () async throws -> Means, _ isEnough: (HTTPAnswer) throws -> Bool
    ) async throws {
        for body in operation.bodies {
            for scheme in operation.schemes.sorted() {
                for isWithParameters in operation.parameters.isEmpty ? [false] : [false, true] {
                    // Tickets end after five answers.
                    let means = try await means()
                    let parameters = operation.parameters.map(means.parameter)
                    let values = (body ?? []).map { ($0, means.value(of: $0)) }
                    let authorization = means.authorization(scheme)
                    guard let authorization, !parameters.contains(nil), !values.contains(where: { $0.1 == nil }),
                        !operation.path.contains("{")
                    else {
                        Issue.record("this test does not know how to try \(operation)")
                        return
                    }
                    let fields = Dictionary(uniqueKeysWithValues: values.map { ($0, $1 as Any) })
                    for headers in authorization {
                        let answer = try await server.send(
                            operation.method, operation.path,
                            headers: headers + (isWithParameters ? parameters.compactMap(\.self) : [])
                                + (body == nil ? [] : ["Content-Type: application/json"]),
                            body: body.map { _ in json(fields) })
                        if try isEnough(answer) { return }
                    }
                }
            }
        }
    }

    // MARK: -

    /// A user with an app, who has a session from before it.
    private struct Miguel {
        let account: Account
        let before: SignedIn
        var recoveryCodes: [String]
        private let secret: TOTPSecret

        init(at server: RunningServer) async throws {
            account = try await server.newAccount()
            before = try await server.signIn(account)
            let headers = [bearer(before.access), "Content-Type: application/json"]
            let added = try await server.send(
                "POST", "/api/me/factors", headers: headers, body: json(["type": "totp", "name": "phone"]))
            let id = try #require(added.json["id"] as? String, "\(added.body)")
            secret = try #require(
                (added.json["secret"] as? String).flatMap { Base32.decode($0.utf8) }.flatMap(TOTPSecret.init))
            let confirmed = try await server.send(
                "PUT", "/api/me/factors/\(id)", headers: headers,
                body: json(["code": secret.code(for: TOTP.step(at: .now)).value]))
            recoveryCodes = try #require(confirmed.json["recovery_codes"] as? [String], "\(confirmed.body)")
        }

        func ticket(at server: RunningServer) async throws -> String {
            let answer = try await server.send("POST", "/api/tokens", headers: [account.basic])
            #expect(answer.status == 401 && answer.code == "mfa_required")
            return try #require(answer.json["ticket"] as? String, "\(answer.body)")
        }

        /// Six digits that are no code today.
        var wrongCode: String {
            let step = TOTP.step(at: .now)
            let right = Set((step - 10...step + 10).map { secret.code(for: $0).value })
            return (0...).lazy.map { String(format: "%06d", $0) }.first { !right.contains($0) } ?? ""
        }
    }

    private func names(in answer: HTTPAnswer) -> Set<String> { Self.tokens.intersection(answer.json.keys) }

    @Test func theOperationsAreFound() {
        let names = operations().map(\.name)
        #expect(Set(names).isSuperset(of: ["issueToken", "startSession", "renewSession"]))
    }

    @Test func withoutTheFactorNoneGivesAToken() async throws {
        for operation in operations() {
            let miguel = try await Miguel(at: server)
            var count = 0
            try await attempt(operation) {
                Means(
                    account: miguel.account, ticket: try await miguel.ticket(at: server), code: miguel.wrongCode,
                    access: miguel.before.access + "A", refresh: String(repeating: "A", count: 112))
            } _: { answer in
                count += 1
                #expect((400..<500).contains(answer.status), "\(operation.name): \(answer.status) \(answer.body)")
                #expect(names(in: answer).isEmpty, "\(operation.name)")
                return false
            }
            #expect(count > 0, "\(operation.name)")
        }
    }

    /// Who signed in before there was a factor goes on, but has not given one by that.
    @Test func aSessionFromBeforeTheFactorStaysWhatItWas() async throws {
        for operation in operations() {
            let miguel = try await Miguel(at: server)
            try await attempt(operation) {
                Means(
                    account: miguel.account, ticket: try await miguel.ticket(at: server), code: miguel.wrongCode,
                    access: miguel.before.access, refresh: miguel.before.refresh)
            } _: { answer in
                guard let token = ["token", "access_token"].compactMap({ answer.json[$0] as? String }).first else {
                    #expect((400..<500).contains(answer.status), "\(operation.name): \(answer.status) \(answer.body)")
                    return false
                }
                let claims = members(of: token, 1)
                #expect(claims["amr"] as? [String] == ["pwd"], "\(operation.name)")
                #expect(claims["acr"] as? String == "aal1", "\(operation.name)")
                return false
            }
        }
    }

    /// The same requests, made with the factor: otherwise their refusals would say nothing.
    @Test func withTheFactorEachGivesAToken() async throws {
        for operation in operations() {
            var miguel = try await Miguel(at: server)
            let signedIn = try await server.send(
                "POST", "/api/tokens",
                headers: [miguel.account.basic, "X-OTP: \(miguel.recoveryCodes.removeLast())"])
            let access = try #require(signedIn.json["access_token"] as? String, "\(signedIn.body)")
            let refresh = try #require(signedIn.json["refresh_token"] as? String)
            let code = miguel.recoveryCodes.removeLast()
            var given: Set<String> = []
            try await attempt(operation) {
                Means(
                    account: miguel.account, ticket: try await miguel.ticket(at: server), code: code, access: access,
                    refresh: refresh)
            } _: { answer in
                given = names(in: answer)
                return !given.isEmpty
            }
            #expect(!given.isEmpty, "\(operation.name)")
        }
    }
}
