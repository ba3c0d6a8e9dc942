import Foundation
import RESTAuth
import RESTAuthTesting
import Testing

/// The sessions of a database of version 0.2: one started with a password, one with a Flask
/// server's token.
enum EarlierSessions {
    private static let start = Date(timeIntervalSince1970: 1_800_000_000)
    private static let home = ClientNetwork("192.0.2.1")
    private static let password = Samples.session(1, of: 1, at: start)
    private static let flask = Samples.session(2, of: 1, at: start)

    /// - Parameters:
    ///   - end: the time 1900000000 as the database writes it.
    ///   - key: the digest 3 as the database writes it.
    static func rows(tokenEnds end: String, key: String) -> String {
        func time(_ seconds: Int) -> String { end.replacing("1900000000", with: "\(seconds)") }
        return """
            INSERT INTO users (username, canonical_username, password_hash, created_at, password_changed_at)
            VALUES ('Miguel', 'miguel', 'h', \(time(1)), \(time(1))), ('bare', 'bare', '!', \(time(1)), \(time(1)));
            INSERT INTO user_roles VALUES (1, 'admin');
            INSERT INTO known_origins VALUES (1, '\(home?.description ?? "")', \(time(1)));
            INSERT INTO sessions (id, user_id, created_at, last_used_at, expires_at, refresh_digest, tokens_expire_at)
            VALUES
                ('\(password.id)', 1, \(time(1_800_000_000)), \(time(1_800_000_000)), \(end), \(key), \(end)),
                ('\(flask.id)', 1, \(time(0)), \(time(1_800_000_000)), \(end), NULL, \(end));
            """
    }

    static func expectAlive(in storage: some Storage) async throws {
        let sessions = try await storage.sessions(of: 1, before: nil, limit: 10, at: start)
        #expect(sessions.map(\.id) == [flask.id, password.id])
        #expect(sessions.map(\.authentication.methods) == [[], [.password]])
        #expect(sessions.map(\.authentication.at) == [Date(timeIntervalSince1970: 0), start])
        #expect(sessions.map(\.authentication.contextClass) == [nil, "aal1"])
        #expect(sessions.allSatisfy { $0.clientID == nil && $0.scope == nil })
        let bare = try #require(await storage.credentials(canonicalUsername: "bare"))
        #expect(bare.passwordHash == nil && bare.passwordVersion == 1)
        for guess in ["", "!"] {
            let ended = try await storage.setPasswordHash(
                "new", user: bare.user.id, replacing: guess, beginning: nil, at: start)
            #expect(ended == nil)
            #expect(try await !storage.upgradePasswordHash("new", user: bare.user.id, replacing: guess))
        }
        #expect(try await storage.exportUsers(after: 1, limit: 1).first?.credentials.passwordHash == nil)
        #expect(try await storage.passwordHashes(sampling: 10) == ["h"])
        #expect(try await storage.credentials(user: 1)?.passwordHash == "h")
        #expect(try await storage.user(id: 1)?.roles == ["admin"])
        let home = try #require(home)
        #expect(try await storage.knownOrigin(home, canonicalUsername: "miguel") != nil)
        // The session can be renewed, and its life is extended.
        let outcome = try await storage.rotate(
            RefreshRotation(
                sessionID: password.id, generation: 0, digest: [3], successorDigest: { _ in [4] }, now: start,
                inactivityTimeout: 60, timebox: 600))
        guard case .renewed(let session, _, _) = outcome else {
            Issue.record("not renewed")
            return
        }
        #expect(session.authentication.at == start && session.authentication.methods == [.password])
        #expect(try await storage.prolongSession(id: flask.id, until: start, at: start) != nil)
        #expect(try await storage.insertUser(Username("next"), passwordHash: "h", at: start).id == 3)
    }
}
