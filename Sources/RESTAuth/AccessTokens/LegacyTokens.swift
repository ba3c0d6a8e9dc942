import Crypto
import Foundation

/// The tokens that a Flask server gave before its users came here, until they expire.
///
/// Two forms, each to the last member: what PyJWT writes, and what itsdangerous'
/// `TimedJSONWebSignatureSerializer` writes. Each request looks the user up, by the id that the
/// other server knew, and whether the token's session has been ended. That session is one for each
/// token, however often it is traded: its id is a keyed digest of the token's bytes.
struct LegacyTokens: Sendable, Redacted {
    private let secret: LegacySecret
    private let sessionKey: SymmetricKey
    private let storage: any Storage
    private let longestLife: TimeInterval
    private let now: @Sendable () -> Date

    /// `nil` where there is no secret of such tokens.
    init?(configuration: AuthConfiguration, storage: any Storage) {
        guard let secret = configuration.legacySecret else { return nil }
        self.secret = secret
        sessionKey = secret.sessionKey
        self.storage = storage
        longestLife = TimeInterval(configuration.sessionTimebox)
        now = configuration.now
    }

    /// What a token says whose signature is good.
    struct Claims {
        let id: Int64
        /// In seconds since 1970; `nil` in the form that does not say it.
        let issuedAt: Double?
        /// In seconds since 1970.
        let expiresAt: Double

        /// Neither expired, nor from the future, nor with a life that is longer than `longest`:
        /// what no number can be that is not finite.
        fileprivate func isLive(at now: Double, longest: TimeInterval) -> Bool {
            let slack = Double(AccessTokenClaims.clockSlack)
            let begin = issuedAt ?? now + slack
            return begin <= now + slack && now < expiresAt && expiresAt - begin <= longest
        }
    }

    /// `nil` when the token's header is that of neither form.
    /// - Throws: `invalid_token` when it is, and the rest is no good.
    private func claims(of token: CompactJWS) throws(AuthError) -> Claims? {
        guard let form = Form(header: token.header) else { return nil }
        guard secret.isSignature(token.signature, of: token.signingInput, form.algorithm), let payload = token.payload,
            let claims = form.claims(payload), claims.isLive(at: now().timeIntervalSince1970, longest: longestLife)
        else { throw .invalidToken }
        return claims
    }

    /// Who `token` stands for; `nil` when its header is that of neither form.
    /// - Throws: `invalid_token` when the rest is no good, when its session has been ended, or when
    ///   the user is gone, disabled, or has another password than at the import.
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
        /// The end stands in the payload.
        case pyJWT
        /// The end stands in the header.
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
    /// A number, whole or not.
    fileprivate var seconds: Double? {
        switch self {
        case .integer(let number): Double(number)
        case .number(let number): number
        default: nil
        }
    }
}
