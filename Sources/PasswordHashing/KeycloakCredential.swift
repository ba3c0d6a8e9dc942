import Foundation

/// A password of Keycloak: the columns `credential_data` and `secret_data` of its table
/// `credential`, or the entry of an export, both with JSON inside of JSON; or the one object of its
/// older versions.
public enum KeycloakCredential {
    /// A hash that ``ForeignHash`` reads.
    /// - Parameters:
    ///   - credentialData: JSON with the algorithm and its costs.
    ///   - secretData: JSON with the salt and the digest.
    /// - Returns: `nil` for JSON that is no password hash of Keycloak.
    public static func hash(credentialData: String, secretData: String) -> String? {
        guard let credential = decoded(CredentialData.self, credentialData),
            let secret = decoded(SecretData.self, secretData)
        else { return nil }
        return hash(credential, secret)
    }

    /// The password among a user's credentials.
    /// - Returns: `nil` for text that is neither a JSON object nor a list of some.
    /// - Throws: `Refusal` for a credential of another type, and one that is not understood.
    static func hash(_ text: ArraySlice<UInt8>) throws(ForeignHash.Refusal) -> ArraySlice<UInt8>? {
        // Text with the name of its scheme in braces is no JSON.
        guard text.first == UInt8(ascii: "{") || text.first == UInt8(ascii: "["),
            let next = text.dropFirst().first, [0x09, 0x0A, 0x0D, 0x20, 0x22, 0x7B, 0x7D].contains(next)
        else { return nil }
        let list = text.first == UInt8(ascii: "[") ? decoded([Entry].self, String(text)) : nil
        guard
            let entry = decoded(Entry.self, String(text)) ?? list?.first(where: { $0.type ?? "password" == "password" })
        else { return nil }
        guard entry.type ?? "password" == "password" else {
            throw ForeignHash.Refusal(reason: "the credential of Keycloak is no password but of another type")
        }
        guard let text = entry.hash else {
            throw ForeignHash.Refusal(
                reason: """
                    the JSON is no password of Keycloak: that has credentialData and secretData, with pbkdf2, \
                    pbkdf2-sha256, pbkdf2-sha512 or argon2 for its algorithm
                    """)
        }
        return Array(text.utf8)[...]
    }

    private static func decoded<Value: Decodable>(_ type: Value.Type, _ text: String) -> Value? {
        try? JSONDecoder().decode(type, from: Data(text.utf8))
    }

    private static func hash(_ credential: CredentialData, _ secret: SecretData) -> String? {
        guard let salt = Data(base64Encoded: secret.salt), let digest = Data(base64Encoded: secret.value) else {
            return nil
        }
        let (saltText, digestText) = (HashText.unpaddedBase64(Array(salt)), HashText.unpaddedBase64(Array(digest)))
        let costs = credential.additionalParameters ?? [:]
        func cost(_ name: String) -> String? { costs[name]?.first }
        switch credential.algorithm ?? "pbkdf2" {
        case "argon2":
            guard let memory = cost("memory"), let lanes = cost("parallelism"), cost("version") ?? "1.3" == "1.3" else {
                return nil
            }
            let type = cost("type") ?? "id"
            return "$argon2\(type)$v=19$m=\(memory),t=\(credential.hashIterations),p=\(lanes)$\(saltText)$\(digestText)"
        case "pbkdf2", "pbkdf2-sha256", "pbkdf2-sha512":
            let name = credential.algorithm.map { $0 == "pbkdf2" ? "pbkdf2-sha1" : $0 } ?? "pbkdf2-sha1"
            return "$\(name)$i=\(credential.hashIterations),l=\(digest.count)$\(saltText)$\(digestText)"
        default: return nil
        }
    }

    private struct CredentialData: Decodable {
        let hashIterations: Int
        let algorithm: String?
        let additionalParameters: [String: [String]]?
    }

    private struct SecretData: Decodable {
        let value: String
        let salt: String
    }

    /// A value that is there as JSON, or as text with JSON in it.
    private struct Nested<Value: Decodable>: Decodable {
        let value: Value?

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let text = try? container.decode(String.self) {
                value = decoded(Value.self, text)
            } else {
                value = try? container.decode(Value.self)
            }
        }
    }

    private struct Entry: Decodable {
        let type: String?
        let credentialData: Nested<CredentialData>?
        let secretData: Nested<SecretData>?
        // Fields of versions up to 7.
        let hashedSaltedValue: String?
        let salt: String?
        let hashIterations: Int?
        let algorithm: String?

        var hash: String? {
            if let credential = credentialData?.value, let secret = secretData?.value {
                return KeycloakCredential.hash(credential, secret)
            }
            guard let hashedSaltedValue, let salt, let hashIterations else { return nil }
            return KeycloakCredential.hash(
                CredentialData(hashIterations: hashIterations, algorithm: algorithm, additionalParameters: nil),
                SecretData(value: hashedSaltedValue, salt: salt))
        }
    }
}
