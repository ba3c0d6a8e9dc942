import Crypto
import Foundation

/// The `SECRET_KEY` of a Flask server whose tokens are still in use.
///
/// Whoever has it can make such tokens, for every user who came from there, so one that is known or
/// can be guessed is refused.
public struct LegacySecret: Sendable {
    /// The shortest secret that is accepted, in bytes. It is short, because the secret was chosen
    /// elsewhere, and an application cannot choose another without losing the tokens.
    public static let minimumLength = 8

    /// The fewest bits by which it must look random: whoever holds one token can test guesses.
    private static let minimumStrength = 32.0

    private let key: SymmetricKey

    /// Takes the bytes of `text` as they are.
    /// - Throws: ``AuthError/Code/misconfigured`` when there are fewer than ``minimumLength``
    ///   bytes, when they are too regular to be random, or when the secret has been published (the
    ///   original Flask server's article, tutorials, documentation).
    public init(_ text: String) throws(AuthError) {
        guard text.utf8.count >= Self.minimumLength, !Self.isPublished(text.lowercased()),
            GuessableSecret.bits(of: text) >= Self.minimumStrength
        else {
            throw AuthError(
                .misconfigured,
                """
                the legacy secret is published or easy to guess, so anybody could make tokens for all users who were \
                imported; go without it: passwords move all the same, and users whose token ends sign in again
                """)
        }
        key = SymmetricKey(data: Data(text.utf8))
    }

    /// - Throws: ``AuthError/Code/misconfigured`` when this is also the present or the next secret
    ///   of this instance: whoever ran the Flask server knows it and could decrypt the signing
    ///   keys, and the server could not start once it is taken out of the settings. It may be the
    ///   previous secret.
    package func refuse(in secrets: KnownSecrets) throws(AuthError) {
        guard let text = key.withUnsafeBytes({ String(validating: $0, as: UTF8.self) }),
            [secrets.present, secrets.next].contains(where: { $0?.isMade(of: text) == true })
        else { return }
        throw AuthError(
            .misconfigured,
            """
            the secret key and legacy_secret are the same: the Flask server's SECRET_KEY is given as legacy_secret \
            only, and this server has a secret of its own; take SECRET_KEY out of the environment, or give another \
            (openssl rand -base64 32); a database that was made with it changes over with the other as SECRET_KEY and \
            this one as SECRET_KEY_PREVIOUS
            """)
    }

    private static func isPublished(_ text: String) -> Bool {
        (InstanceSecret.published + published).contains(where: text.contains)
    }

    private static let published = [
        "secret key", "secret-key", "secret_key", "secretkey", "hard to guess", "hard-to-guess", "you-will-never-guess",
        "you will never guess",
        "my precious", "my-precious", "my_precious", "mysecret", "my secret", "my-secret", "this is a secret",
        "thisisasecret",
        "thisissecret",
        "this-is-a-secret", "this should be", "top secret", "topsecret", "development", "dev-key", "dev_key",
        "password", "s3cr3t",
        "123456",
        "192b9bdd22ab9ed4d12e236c78afcb9a393ec15f71bbf5dc987d54727823bcbf", "_5#y2l\"f4q8z",
        "a0zr98j/3yx r~xhh!jmn]lwx/,?rt",
    ]

    /// The key that makes the session ids of tokens. It depends on this secret alone, so a token
    /// keeps its session when the instance's own secret is changed.
    var sessionKey: SymmetricKey {
        HKDF<SHA256>.deriveKey(
            inputKeyMaterial: key, info: Data("rest-auth sessions of legacy tokens".utf8), outputByteCount: 32)
    }

    /// Whether `signature` is that of `bytes`, in a time that does not tell where two signatures
    /// differ.
    func isSignature(_ signature: [UInt8], of bytes: some Collection<UInt8>, _ algorithm: LegacyTokens.Algorithm)
        -> Bool
    {
        let bytes = Array(bytes)
        return switch algorithm {
        case .hs256: HMAC<SHA256>.isValidAuthenticationCode(signature, authenticating: bytes, using: key)
        case .hs512: HMAC<SHA512>.isValidAuthenticationCode(signature, authenticating: bytes, using: key)
        }
    }
}

extension LegacySecret: Redacted {}
