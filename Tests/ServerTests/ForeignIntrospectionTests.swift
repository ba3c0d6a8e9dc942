import Foundation
import Support
import Testing

/// Debian's Apache and Dovecot ask the server about tokens for programs (RFC 7662), as their
/// manuals say.
@Suite struct ForeignIntrospectionTests {
    // MARK: Apache

    /// mod_auth_openidc as a resource server, with one place for everyone and one for a scope. It
    /// asks over TLS, as it insists.
    private final class Apache: Sendable {
        let port: Int
        private let directory: TemporaryDirectory
        private let process: ExternalProcess

        init(asking url: String, secret: String) async throws {
            directory = try TemporaryDirectory()
            port = try FreePort.next()
            let modules = ["mpm_event", "authn_core", "authz_core", "authz_user", "headers", "rewrite", "auth_openidc"]
                .map { "LoadModule \($0)_module /usr/lib/apache2/modules/mod_\($0).so\n" }.joined()
            // Workers of root's Apache run as another user, who cannot read the directory.
            let text = """
                ServerRoot "\(directory.path)"
                PidFile apache.pid
                Mutex file:\(directory.path) default
                Listen 127.0.0.1:\(port)
                ServerName 127.0.0.1
                ErrorLog /dev/stderr
                LogLevel info
                \(modules)
                User www-data
                Group www-data
                OIDCOAuthIntrospectionEndpoint \(url)/oauth/introspect
                OIDCOAuthClientID apache
                OIDCOAuthClientSecret \(secret)
                OIDCOAuthTokenIntrospectionInterval -1
                OIDCOAuthTokenExpiryClaim exp absolute optional
                OIDCOAuthRemoteUserClaim username
                OIDCOAuthSSLValidateServer Off
                OIDCCryptoPassphrase \(secret)
                <Location "/">
                    AuthType oauth20
                    Require claim token_type:Bearer
                    Header always set Seen-User "expr=%{REMOTE_USER}"
                    RewriteEngine on
                    RewriteRule ^ - [R=204,L]
                </Location>
                <Location "/notes">
                    AuthMerging Off
                    Require claim "scope~(^|.* )notes:write( .*|$)"
                </Location>

                """
            let file = "\(directory.path)/apache.conf"
            try Data(text.utf8).write(to: URL(fileURLWithPath: file))
            process = try ExternalProcess(
                ExternalProcess.program("apache2"), ["-f", file, "-D", "FOREGROUND"], directory: directory)
            try await process.answers(on: port)
        }

        deinit { process.kill() }

        func send(_ headers: [String], to path: String = "/") async throws -> HTTPAnswer {
            try await HTTPConnection(port: port).send("GET", path, headers: headers)
        }

        var log: String { process.errorText }
    }

    @Test func apacheTakesAPersonalTokenUntilItIsDeleted() async throws {
        let server = try await SecureServer()
        func send(_ method: String, _ path: String, _ headers: [String], _ body: [String: Any]? = nil) async throws
            -> [String: Any]
        {
            let options =
                ["-X", method] + headers.flatMap { ["-H", $0] } + (body.map { ["-d", json($0)] } ?? [])
            let answer = try await server.curl(path, options: options)
            let text = answer.components(separatedBy: "\r\n\r\n").last ?? ""
            return (try? JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any]) ?? [:]
        }
        let (miguel, susan) = (basic("miguel", "python"), basic("susan", "cat"))
        _ = try await send("POST", "/api/users", [], ["username": "miguel", "password": "python"])
        _ = try await send("POST", "/api/users", [], ["username": "susan", "password": "cat"])
        let session = try await send("POST", "/api/tokens", [miguel])
        let refresh = try #require(session["refresh_token"] as? String)
        let apache = try await Apache(asking: server.url, secret: server.addClient("apache"))
        let reader = try await send("POST", "/api/me/tokens", [miguel], ["name": "reader", "scopes": ["notes:read"]])
        let writer = try await send(
            "POST", "/api/me/tokens", [susan], ["name": "writer", "scopes": ["notes:read", "notes:write"]])
        let token = try #require(reader["token"] as? String)
        let other = try #require(writer["token"] as? String)

        for _ in 0..<2 {
            let answer = try await apache.send([bearer(token)])
            #expect(answer.status == 204, "\(apache.log)")
            #expect(answer["Seen-User"] == "miguel")
        }
        #expect(try await apache.send([bearer(token)], to: "/notes").status == 401)
        #expect(try await apache.send([bearer(other)], to: "/notes").status == 204)
        #expect(try await apache.send([bearer(other)], to: "/notes")["Seen-User"] == "susan")
        let wrong = "\(token.dropLast())\(token.last == "0" ? "1" : "0")"
        let refusals: [[String]] = [
            [], [bearer("x")], [bearer(refresh)], [bearer("\(token.dropLast())")], [bearer(wrong)],
            [bearer(token.uppercased())], [miguel], [basic(token, "")],
        ]
        for refused in refusals {
            let answer = try await apache.send(refused)
            #expect(answer.status == 401, "\(refused)")
        }
        _ = try await send("DELETE", "/api/me/tokens/\(try #require(reader["id"] as? String))", [miguel])
        #expect(try await apache.send([bearer(token)]).status == 401)
        #expect(try await apache.send([bearer(other)]).status == 204)
    }

    // MARK: Dovecot

    /// The authentication service of Dovecot, with the password database `oauth2`.
    private final class Dovecot: Sendable {
        private let directory: TemporaryDirectory
        private let process: ExternalProcess

        init(asking server: RunningServer, secret: String) async throws {
            directory = try TemporaryDirectory()
            let path = directory.path
            let user = NSUserName()
            let files = [
                "dovecot.conf": """
                base_dir = \(path)/d
                state_dir = \(path)/d
                log_path = /dev/stderr
                protocols =
                auth_failure_delay = 0
                ssl = no
                default_internal_user = \(user)
                default_internal_group = \(try Self.group())
                default_login_user = \(getuid() == 0 ? "nobody" : user)
                auth_mechanisms = plain oauthbearer xoauth2
                auth_username_format = %u
                passdb {
                  driver = oauth2
                  mechanisms = plain oauthbearer xoauth2
                  args = \(path)/oauth2.conf
                }
                userdb {
                  driver = static
                  args = uid=nobody gid=nogroup home=/nonexistent
                }
                service auth {
                  user = \(user)
                  unix_listener auth-client {
                    mode = 0600
                  }
                }
                service anvil {
                  chroot =
                }
                service stats {
                  chroot =
                }

                """,
                "oauth2.conf": """
                introspection_mode = post
                introspection_url = http://dovecot:\(secret)@127.0.0.1:\(server.port)/oauth/introspect
                username_attribute = username
                username_format = %u
                scope = mail
                active_attribute = active
                active_value = true

                """,
            ]
            for (name, text) in files {
                try Data(text.utf8).write(to: URL(fileURLWithPath: "\(path)/\(name)"))
            }
            process = try ExternalProcess(
                ExternalProcess.program("dovecot"), ["-F", "-c", "\(path)/dovecot.conf"], directory: directory)
            let process = process
            try await wait(for: "Dovecot to start") {
                #expect(process.isRunning, "\(process.errorText)")
                return FileManager.default.fileExists(atPath: "\(path)/d/auth-client")
            }
        }

        deinit { process.kill() }

        private static func group() throws -> String {
            guard let entry = getgrgid(getgid()) else { throw POSIXError(.ENOENT) }
            return String(cString: entry.pointee.gr_name)
        }

        /// Whether a token signs a user in.
        func admits(_ user: String, _ token: String, by mechanism: String) async throws -> Bool {
            let script = ExternalProcess.repository.appendingPathComponent("Tests/Scripts/dovecot_auth.py").path
            let outcome = try await ExternalProcess(
                ExternalProcess.program("python3"),
                [script, "\(directory.path)/d/auth-client", mechanism, user, token],
                directory: directory
            ).outcome()
            #expect(["OK\n", "FAIL\n"].contains(outcome.output), "\(outcome.error) \(process.errorText)")
            return outcome.output == "OK\n"
        }
    }

    @Test func dovecotTakesAPersonalTokenUntilItIsDeleted() async throws {
        let server = try await RunningServer()
        let (miguel, susan) = (try await server.newAccount(), try await server.newAccount("susan"))
        let dovecot = try await Dovecot(asking: server, secret: server.addClient("dovecot"))
        let token = try await server.personalToken(of: miguel, scopes: ["notes:read", "mail"])
        let narrow = try await server.personalToken(of: miguel, scopes: ["notes:read"])
        let mechanisms = ["PLAIN", "OAUTHBEARER", "XOAUTH2"]
        for mechanism in mechanisms {
            #expect(try await dovecot.admits(miguel.name, token.token, by: mechanism), "\(mechanism)")
            // It opens no other user's mail.
            #expect(try await !dovecot.admits(susan.name, token.token, by: mechanism), "\(mechanism)")
            for wrong in [String(token.token.dropLast()), token.token + "x", "x", "python", narrow.token] {
                #expect(try await !dovecot.admits(miguel.name, wrong, by: mechanism), "\(mechanism) \(wrong)")
            }
        }
        let other = try await server.personalToken(of: miguel, scopes: ["mail"])
        try await server.delete(token, of: miguel)
        for mechanism in mechanisms {
            #expect(try await !dovecot.admits(miguel.name, token.token, by: mechanism), "\(mechanism)")
            #expect(try await dovecot.admits(miguel.name, other.token, by: mechanism), "\(mechanism)")
        }
        try await server.command("users", "disable", miguel.name)
        for mechanism in mechanisms {
            try await wait(for: "the refusal") {
                try await !dovecot.admits(miguel.name, other.token, by: mechanism)
            }
        }
    }
}
