import Crypto
import Foundation

/// The tokens that a Flask server gave before its users came here, until they expire.
///
/// Two forms, each to the last member: what PyJWT writes, and what itsdangerous'
/// `TimedJSONWebSignatureSerializer` writes. Neither has a session: each request looks the user up,
/// by the id that the other server knew.
struct LegacyTokens: Sendable {
    let secret: LegacySecret
    let storage: any Storage
    let now: @Sendable () -> Date

    /// What a token says whose signature is good.
    struct Claims {
        let id: Int64
        /// In seconds since 1970.
        let expiresAt: Double
    }

    /// `nil` when the token's header is that of neither form.
    /// - Throws: `invalid_token` when it is, and the rest is no good.
    func claims(of token: [UInt8]) throws(AuthError) -> Claims? {
        guard token.count <= TokenVerifier.maximumBytes, let token = CompactJWS(token),
            let form = Form(header: token.header)
        else {
            return nil
        }
        guard secret.isSignature(token.signature, of: token.signingInput, form.algorithm), let payload = token.payload,
            let claims = form.claims(payload), claims.expiresAt > now().timeIntervalSince1970
        else { throw .invalidToken }
        return claims
    }

    /// - Throws: `invalid_token` when the user is gone, disabled, or has another password than at
    ///   the import.
    func identity(_ claims: Claims) async throws -> Identity {
        guard let stored = try await storage.credentials(legacyID: claims.id), !stored.user.isDisabled,
            stored.passwordVersion == ImportableUser.passwordVersion
        else { throw AuthError.invalidToken }
        return Identity(stored)
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
        case itsdangerous(Algorithm, expiresAt: Int)

        init?(header: JSON) {
            guard case .object(let members) = header, let name = header["alg"]?.string,
                let algorithm = Algorithm(rawValue: name)
            else {
                return nil
            }
            switch (members.count, algorithm) {
            case (2, .hs256) where header["typ"] == .string("JWT"): self = .pyJWT
            case (3, _):
                guard header["iat"]?.integer != nil, let expiresAt = header["exp"]?.integer else { return nil }
                self = .itsdangerous(algorithm, expiresAt: expiresAt)
            default: return nil
            }
        }

        var algorithm: Algorithm {
            switch self {
            case .pyJWT: .hs256
            case .itsdangerous(let algorithm, _): algorithm
            }
        }

        func claims(_ payload: JSON) -> Claims? {
            guard case .object(let members) = payload, let id = payload["id"]?.integer else { return nil }
            switch (self, members.count) {
            case (.pyJWT, 2): return payload["exp"]?.seconds.map { Claims(id: Int64(id), expiresAt: $0) }
            case (.itsdangerous(_, let expiresAt), 1): return Claims(id: Int64(id), expiresAt: Double(expiresAt))
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
