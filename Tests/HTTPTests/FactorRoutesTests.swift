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

/// `/api/me/factors`, `/api/me/recovery-codes` and `/api/me/devices`, over a clock that the test
/// moves.
@Suite struct FactorRoutesTests {
    private let auth: Auth
    private let clock = TestTime()
    /// The identities of sign-ins before there was a factor, and tokens of two factors that last as
    /// long as a test.
    private var users: [String: (identity: UserIdentity, token: String)] = [:]

    private final class TestTime: Sendable {
        private let time = Mutex(Date(timeIntervalSince1970: 1_800_000_000))
        var now: Date { time.withLock { $0 } }
        func advance(by seconds: TimeInterval) { time.withLock { $0 += seconds } }
    }

    init() async throws {
        var configuration = AuthConfiguration()
        let clock = clock
        configuration.now = { clock.now }
        auth = try await Auth(storage: SQLiteStorage(), configuration: configuration)
        for name in ["miguel", "susan"] {
            _ = try await auth.users.register(name, password: "python")
            let identity = try await auth.login.identify(name, password: "python")
            let proven = auth.login.vouch(
                for: try await auth.users.find(named: name), provenBy: [.password, .oneTimePassword, .multipleFactors],
                at: clock.now)
            users[name] = (identity, try await auth.sessions.token(for: proven).value)
        }
    }

    private struct Answer {
        let status: HTTPResponse.Status
        let headers: HTTPFields
        let json: JSON?

        subscript(name: String) -> String? { json?[name]?.string }
    }

    private func send(
        _ method: HTTPRequest.Method, _ path: String, _ body: String? = nil, as user: String? = "miguel"
    ) async throws -> Answer {
        let router = Router(context: BasicRequestContext.self)
        auth.addRoutes(to: router)
        var headers: HTTPFields = body == nil ? [:] : [.contentType: "application/json"]
        if let user = user.flatMap({ users[$0] }) { headers[.authorization] = "Bearer " + user.token }
        let fields = headers
        return try await Application(router: router).test(.live) { client in
            try await client.execute(
                uri: path, method: method, headers: fields, body: body.map { ByteBuffer(string: $0) }
            ) { Answer(status: $0.status, headers: $0.headers, json: JSON(Array($0.body.readableBytesView))) }
        }
    }

    private func code(_ secret: String) throws -> String {
        let secret = try #require(Base32.decode(secret.utf8).flatMap(TOTPSecret.init))
        return secret.code(for: TOTP.step(at: clock.now)).value
    }

    /// An app that is confirmed, by its id and secret.
    private func newApp() async throws -> (id: String, secret: String) {
        let added = try await send(.post, "/api/me/factors", #"{"type":"totp","name":"phone"}"#)
        let (id, secret) = try (#require(added["id"]), #require(added["secret"]))
        let confirmed = try await send(.put, "/api/me/factors/\(id)", #"{"code":"\#(code(secret))"}"#)
        try #require(confirmed.status == .ok)
        return (id, secret)
    }

    @Test func anAppIsAddedByItsPictureAndConfirmed() async throws {
        let added = try await send(.post, "/api/me/factors", #"{"type":"totp","name":"my phone"}"#)
        #expect(added.status == .created && added.headers[.cacheControl] == "no-store")
        let (id, secret) = try (#require(added["id"]), #require(added["secret"]))
        #expect(added.headers[.location]?.hasSuffix("/api/me/factors/\(id)") == true)
        #expect(added["name"] == "my phone" && added["type"] == "totp")
        #expect(added["uri"] == "otpauth://totp/rest-auth:miguel?secret=\(secret)&issuer=rest-auth")
        let directory = try TemporaryDirectory()
        try Data(#require(added["qr"]).utf8).write(to: URL(fileURLWithPath: directory.path + "/code.svg"))
        func run(_ program: String, _ arguments: [String]) async throws -> String {
            try await ExternalProcess(ExternalProcess.program(program), arguments, directory: directory).outcome()
                .output.trimmingCharacters(in: .newlines)
        }
        _ = try await run("rsvg-convert", ["-w", "400", "-o", "code.png", "code.svg"])
        #expect(try await run("zbarimg", ["-q", "--raw", "code.png"]) == added["uri"])
        let typed = try await run("oathtool", ["--totp", "-b", secret, "-N", clock.now.ISO8601Format()])
        let confirmed = try await send(.put, "/api/me/factors/\(id)", #"{"code":"\#(typed)"}"#)
        #expect(confirmed.status == .ok && confirmed.headers[.cacheControl] == "no-store")
        guard case .array(let codes)? = confirmed.json?["recovery_codes"] else {
            Issue.record("there are no recovery codes")
            return
        }
        #expect(codes.count == 10)
        let listed = try await send(.get, "/api/me/factors")
        #expect(listed.json?["recovery_codes_left"]?.integer == 10)
        guard case .array(let factors)? = listed.json?["factors"] else {
            Issue.record("there are no factors")
            return
        }
        #expect(factors.count == 1 && factors.first?["id"]?.string == id && factors.first?["active"] == .bool(true))
        // What is listed is nothing secret.
        #expect(factors.first?["secret"] == nil && factors.first?["sealed"] == nil)
    }

    @Test(arguments: [
        "{}", #"{"type":"totp"}"#, #"{"name":"phone"}"#, #"{"type":"sms","name":"phone"}"#,
        #"{"type":"TOTP","name":"phone"}"#, #"{"type":1,"name":"phone"}"#, #"{"type":"totp","name":null}"#,
        #"{"type":"totp","name":""}"#, #"{"type":"totp","name":"a\u0000"}"#, #"{"type":"totp","name":"a\u202eb"}"#,
        "[]", "x",
    ])
    func whatIsNoFactorIsRefused(body: String) async throws {
        #expect(try await send(.post, "/api/me/factors", body).status == .badRequest)
        #expect(try await send(.get, "/api/me/factors").json?["factors"] == .array([]))
    }

    @Test(arguments: [#""""#, #""12345""#, #""1234567""#, #"" 123456""#, #""１２３４５６""#])
    func aWrongCodeConfirmsNothing(code: String) async throws {
        let id = try #require(try await send(.post, "/api/me/factors", #"{"type":"totp","name":"phone"}"#)["id"])
        let answer = try await send(.put, "/api/me/factors/\(id)", "{\"code\":\(code)}")
        #expect(answer.status == .badRequest && answer["code"] == "invalid_code")
    }

    @Test func nobodyAndNobodyElseComesNearAFactor() async throws {
        let (id, secret) = try await newApp()
        for path in ["/api/me/factors", "/api/me/devices"] {
            #expect(try await send(.get, path, as: nil).status == .unauthorized)
        }
        for (method, path) in [
            (HTTPRequest.Method.delete, "/api/me/factors/\(id)"), (.delete, "/api/me/devices/\(id)"),
            (.post, "/api/me/recovery-codes"), (.delete, "/api/me/devices"),
        ] {
            #expect(try await send(method, path, as: nil).status == .unauthorized)
        }
        #expect(try await send(.delete, "/api/me/factors/\(id)", as: "susan")["code"] == "factor_not_found")
        let body = #"{"code":"\#(try code(secret))"}"#
        #expect(try await send(.put, "/api/me/factors/\(id)", body, as: "susan").status == .notFound)
        #expect(try await send(.put, "/api/me/factors/\(id)", body)["code"] == "factor_not_found")
        for segment in ["x", "%00", id.lowercased(), "../\(id)"] {
            let answer = try await send(.delete, "/api/me/factors/\(segment)")
            #expect((400..<500).contains(answer.status.code), "\(segment)")
        }
        #expect(try await auth.factors.list(of: 1).confirmed.count == 1)
    }

    @Test func theSixthAppIsOneTooMany() async throws {
        for _ in 0..<Factors.limit {
            _ = try await newApp()
            clock.advance(by: 30)
        }
        let answer = try await send(.post, "/api/me/factors", #"{"type":"totp","name":"phone"}"#)
        #expect(answer.status == .conflict && answer["code"] == "too_many_factors")
    }

    @Test func recoveryCodesAreMadeAnewAndGoWithTheLastApp() async throws {
        #expect(try await send(.post, "/api/me/recovery-codes")["code"] == "factor_not_found")
        let (id, _) = try await newApp()
        let made = try await send(.post, "/api/me/recovery-codes")
        #expect(made.status == .created && made.headers[.cacheControl] == "no-store")
        #expect(try await send(.delete, "/api/me/factors/\(id)").status == .noContent)
        #expect(try await send(.delete, "/api/me/factors/\(id)").status == .notFound)
        #expect(try await send(.get, "/api/me/factors").json?["recovery_codes_left"]?.integer == 0)
    }

    @Test func devicesAreListedAndForgotten() async throws {
        _ = try await newApp()
        let miguel = try #require(users["miguel"]).identity
        for _ in 0..<2 {
            _ = try #require(try await auth.trustedDevices.trust(miguel, by: Caller(userAgent: "curl/8")))
        }
        func devices() async throws -> [JSON] {
            guard case .array(let devices)? = try await send(.get, "/api/me/devices").json?["devices"] else {
                return []
            }
            return devices
        }
        let id = try #require(try await devices().first?["id"]?.string)
        #expect(try await devices().count == 2)
        #expect(try await devices().first?["user_agent"]?.string == "curl/8")
        #expect(try await send(.delete, "/api/me/devices/\(id)", as: "susan")["code"] == "device_not_found")
        #expect(try await send(.delete, "/api/me/devices/\(id)").status == .noContent)
        #expect(try await send(.delete, "/api/me/devices/\(id)").status == .notFound)
        #expect(try await send(.delete, "/api/me/devices").status == .noContent)
        #expect(try await devices().isEmpty)
    }
}
