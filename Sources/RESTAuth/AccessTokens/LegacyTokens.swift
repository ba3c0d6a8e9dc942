import Crypto
import Foundation

/// The tokens that a Flask server gave before its users were imported, accepted until they expire.
///
/// Two forms are read, each down to the last member: what PyJWT writes, and what itsdangerous'
/// `TimedJSONWebSignatureSerializer` writes. Each request looks the user up, by the id on the Flask
/// server, and whether the token's session has been ended. A token has one session, however often
/// it is traded: the session's id is a keyed digest of the token's bytes.
struct LegacyTokens: Sendable, Redacted {
    private let secret: LegacySecret
    private let sessionKey: SymmetricKey
    private let storage: any Storage
    private let longestLife: TimeInterval
    private let now: @Sendable () -> Date

    /// `nil` where no secret for such tokens is configured.
    init?(configuration: AuthConfiguration, storage: any Storage) {
        guard let secret = configuration.legacySecret else { return nil }
        self.secret = secret
        sessionKey = secret.sessionKey
        self.storage = storage
        longestLife = TimeInterval(configuration.sessionTimebox)
        now = configuration.now
    }

    /// The claims of a token whose signature is valid.
    struct Claims {
        let id: Int64
        /// Seconds since 1970; `nil` in the form without it.
        let issuedAt: Double?
        /// Seconds since 1970.
        let expiresAt: Double

        /// Whether it is neither expired, nor from the future, nor longer-lived than `longest`;
        /// false for times that are not finite.
        fileprivate func isLive(at now: Double, longest: TimeInterval) -> Bool {
            let slack = Double(AccessTokenClaims.clockSlack)
            let begin = issuedAt ?? now + slack
            return begin <= now + slack && now < expiresAt && expiresAt - begin <= longest
        }
    }

    /// The claims of a token; `nil` when its header is of neither form.
    /// - Throws: `invalid_token` when the header is of one, and the rest is not valid.
    private func claims(of token: CompactJWS) throws(AuthError) -> Claims? {
        guard let form = Form(header: token.header) else { return nil }
        guard secret.isSignature(token.signature, of: token.signingInput, form.algorithm), let payload = token.payload,
            let claims = form.claims(payload), claims.isLive(at: now().timeIntervalSince1970, longest: longestLife)
        else { throw .invalidToken }
        return claims
    }

    /// The user that `token` stands for; `nil` when its header is of neither form.
    /// - Throws: `invalid_token` when the rest is not valid, when its session has been ended, or
    ///   when the user is deleted, disabled, or has another password than at the import.
    func identity(of token: PresentedToken, _ parts: CompactJWS) async throws -> UserIdentity? {
        guard let claims = try claims(of: parts) else { return nil }
        let session = Session.ID(
            digest: HMAC<SHA256>.authenticationCode(for: token.bytes, using: sessionKey).map(\.self))
        guard let stored = try await storage.credentials(legacyID: claims.id), !stored.user.isDisabled,
            stored.passwordVersion == ImportableUser.passwordVersion,
            try await !storage.isSessionRevoked(session)
        else { throw AuthError.invalidToken }
        return UserIdentity(
            stored, flaskSession: session, tokenExpiresAt: Date(timeIntervalSince1970: claims.expiresAt))
    }
}

// MARK: - Forms

extension LegacyTokens {
    enum Algorithm: String {
        case hs256 = "HS256"
        case hs512 = "HS512"
    }

    private enum Form {
        /// The expiry is in the payload.
        case pyJWT
        /// The expiry is in the header.
        case itsdangerous(Algorithm, issuedAt: Int, expiresAt: Int)

        init?(header: JSON) {
            guard case .object(let members) = header, let name = header["alg"]?.string,
                let algorithm = Algorithm(rawValue: name)
            else {
                return nil
            }
            switch (members.count, algorithm) {
            case (2, .hs256) where header["typ"] == .string("JWT"): self = .pyJWT
            case (3, _):
                guard let issuedAt = header["iat"]?.integer, let expiresAt = header["exp"]?.integer else { return nil }
                self = .itsdangerous(algorithm, issuedAt: issuedAt, expiresAt: expiresAt)
            default: return nil
            }
        }

        var algorithm: Algorithm {
            switch self {
            case .pyJWT: .hs256
            case .itsdangerous(let algorithm, _, _): algorithm
            }
        }

        func claims(_ payload: JSON) -> Claims? {
            guard case .object(let members) = payload, let id = payload["id"]?.integer else { return nil }
            switch (self, members.count) {
            case (.pyJWT, 2): return payload["exp"]?.seconds.map { Claims(id: Int64(id), issuedAt: nil, expiresAt: $0) }
            case (.itsdangerous(_, let issuedAt, let expiresAt), 1):
                return Claims(id: Int64(id), issuedAt: Double(issuedAt), expiresAt: Double(expiresAt))
            default: return nil
            }
        }
    }
}

extension JSON {
    /// The value of a number, whole or not.
    fileprivate var seconds: Double? {
        switch self {
        case .integer(let number): Double(number)
        case .number(let number): number
        default: nil
        }
    }
}
