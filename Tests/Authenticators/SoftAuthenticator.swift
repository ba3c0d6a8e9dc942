package import Crypto
package import CryptoExtras
import Foundation
package import RESTAuth

/// A browser and an authenticator in one, of which everything can be altered.
package struct SoftAuthenticator: Sendable {
    package enum Key: Sendable {
        case es256(P256.Signing.PrivateKey)
        case edDSA(Curve25519.Signing.PrivateKey)
        case rs256(_RSA.Signing.PrivateKey)

        /// One for all: it takes long to make.
        private static let rsa = Result { try _RSA.Signing.PrivateKey(keySize: .bits2048) }

        package init(_ algorithm: PasskeyAlgorithm) throws {
            switch algorithm {
            case .es256: self = .es256(.init())
            case .edDSA: self = .edDSA(.init())
            case .rs256: self = .rs256(try Self.rsa.get())
            }
        }

        /// Entries of the map of the public key, as CTAP2 encodes them.
        package var entries: [(label: Int, value: [UInt8])] {
            get throws {
                switch self {
                case .es256(let key):
                    let point = key.publicKey.rawRepresentation
                    return [
                        (1, CBORBytes.int(2)), (3, CBORBytes.int(-7)), (-1, CBORBytes.int(1)),
                        (-2, CBORBytes.bytes(point.prefix(32))), (-3, CBORBytes.bytes(point.suffix(32))),
                    ]
                case .edDSA(let key):
                    return [
                        (1, CBORBytes.int(1)), (3, CBORBytes.int(-8)), (-1, CBORBytes.int(6)),
                        (-2, CBORBytes.bytes(key.publicKey.rawRepresentation)),
                    ]
                case .rs256(let key):
                    let numbers = try key.publicKey.getKeyPrimitives()
                    return [
                        (1, CBORBytes.int(3)), (3, CBORBytes.int(-257)), (-1, CBORBytes.bytes(numbers.modulus)),
                        (-2, CBORBytes.bytes(numbers.publicExponent)),
                    ]
                }
            }
        }

        package func signature(of bytes: [UInt8]) throws -> [UInt8] {
            switch self {
            case .es256(let key): Array(try key.signature(for: bytes).derRepresentation)
            case .edDSA(let key): Array(try key.signature(for: bytes))
            case .rs256(let key):
                Array(
                    try key.signature(for: SHA256.hash(data: bytes), padding: .insecurePKCS1v1_5).rawRepresentation)
            }
        }
    }

    package var key: Key
    package var credentialID: [UInt8] = (0..<32).map { $0 }
    package var userHandle = [UInt8](repeating: 0x55, count: 64)
    package var relyingPartyID = "example.org"
    package var aaguid = [UInt8](repeating: 0xAA, count: 16)
    package var flags: UInt8 = 0x05
    package var signCount: UInt32 = 7
    /// After the credential, with their flag; `nil` for none.
    package var extensions: [UInt8]?
    /// Bytes in the place of the public key; `nil` for the key itself.
    package var publicKey: [UInt8]?
    /// Members of the client data, in their order, each with its JSON.
    package var clientData: [(name: String, json: String)]
    /// The bytes of the client data; `nil` for the members.
    package var clientDataBytes: [UInt8]?
    package var format = "none"
    /// The attestation statement; `nil` for the one that belongs to the format.
    package var statement: [UInt8]?
    /// Alterations of what is signed and sent, after everything else.
    package var alterAuthenticatorData: @Sendable ([UInt8]) -> [UInt8] = { $0 }
    package var alterObject: @Sendable ([UInt8]) -> [UInt8] = { $0 }
    /// Alterations of what is sent, after it was signed.
    package var alterSentAuthenticatorData: @Sendable ([UInt8]) -> [UInt8] = { $0 }
    package var alterSentClientData: @Sendable ([UInt8]) -> [UInt8] = { $0 }
    package var alterSignature: @Sendable ([UInt8]) -> [UInt8] = { $0 }

    package init(_ algorithm: PasskeyAlgorithm = .es256, challenge: [UInt8], origin: String = "https://example.org")
        throws
    {
        key = try Key(algorithm)
        clientData = [
            ("type", ""), ("challenge", "\"\(Base64.url.encode(challenge))\""), ("origin", "\"\(origin)\""),
            ("crossOrigin", "false"),
        ]
    }

    /// Puts a member of the client data in the place of the one of that name, or after the others;
    /// `nil` takes it away.
    package mutating func set(_ name: String, _ json: String?) {
        let index = clientData.firstIndex { $0.name == name }
        switch (index, json) {
        case (let index?, let json?): clientData[index].json = json
        case (let index?, nil): clientData.remove(at: index)
        case (nil, let json?): clientData.append((name, json))
        case (nil, nil): break
        }
    }

    private func clientDataJSON(_ type: String) -> [UInt8] {
        if let clientDataBytes { return clientDataBytes }
        let members = clientData.map {
            "\"\($0.name)\":\($0.name == "type" && $0.json.isEmpty ? "\"\(type)\"" : $0.json)"
        }
        return Array("{\(members.joined(separator: ","))}".utf8)
    }

    private func authenticatorData(withCredential: Bool) throws -> [UInt8] {
        var flags = flags
        if withCredential { flags |= 0x40 }
        if extensions != nil { flags |= 0x80 }
        var data = Array(SHA256.hash(data: Array(relyingPartyID.utf8))) + [flags]
        data += withUnsafeBytes(of: signCount.bigEndian, Array.init)
        if withCredential {
            data += aaguid + [UInt8(credentialID.count >> 8), UInt8(credentialID.count & 0xFF)] + credentialID
            data += try storedKey
        }
        return alterAuthenticatorData(data + (extensions ?? []))
    }

    package var storedKey: [UInt8] {
        get throws { try publicKey ?? CBORBytes.map(key.entries.map { (CBORBytes.int($0.label), $0.value) }) }
    }

    /// The answer to a registration, before it is JSON.
    package func created() throws -> [String: JSON] {
        let clientData = clientDataJSON("webauthn.create")
        let data = try authenticatorData(withCredential: true)
        let statement =
            if let statement {
                statement
            } else if format == "packed" {
                CBORBytes.map([
                    (CBORBytes.text("alg"), try key.entries[1].value),
                    (
                        CBORBytes.text("sig"),
                        CBORBytes.bytes(
                            alterSignature(try key.signature(of: data + Array(SHA256.hash(data: clientData)))))
                    ),
                ])
            } else {
                CBORBytes.map([])
            }
        let object = CBORBytes.map([
            (CBORBytes.text("fmt"), CBORBytes.text(format)), (CBORBytes.text("attStmt"), statement),
            (CBORBytes.text("authData"), CBORBytes.bytes(alterSentAuthenticatorData(data))),
        ])
        return [
            "clientDataJSON": .string(Base64.url.encode(alterSentClientData(clientData))),
            "attestationObject": .string(Base64.url.encode(alterObject(object))),
            "transports": ["internal", "hybrid"],
        ]
    }

    /// The answer to a sign-in, before it is JSON.
    package func got() throws -> [String: JSON] {
        let clientData = clientDataJSON("webauthn.get")
        let data = try authenticatorData(withCredential: false)
        let signature = try key.signature(of: data + Array(SHA256.hash(data: clientData)))
        return [
            "clientDataJSON": .string(Base64.url.encode(alterSentClientData(clientData))),
            "authenticatorData": .string(Base64.url.encode(alterSentAuthenticatorData(data))),
            "signature": .string(Base64.url.encode(alterSignature(signature))),
            "userHandle": .string(Base64.url.encode(userHandle)),
        ]
    }

    /// The JSON around a response.
    package func json(_ response: [String: JSON], _ altered: [String: JSON?] = [:]) -> JSON {
        let id = JSON.string(Base64.url.encode(credentialID))
        var members: [String: JSON] = [
            "id": id, "rawId": id, "type": "public-key", "authenticatorAttachment": "platform",
            "clientExtensionResults": [:],
            "response": .object(response.map { JSON.Member(name: $0.key, value: $0.value) }),
        ]
        for (name, value) in altered { members[name] = value }
        return .object(members.map { JSON.Member(name: $0.key, value: $0.value) })
    }

    package var stored: StoredPasskey {
        get throws {
            StoredPasskey(
                credentialID: credentialID, publicKey: try storedKey, userHandle: userHandle, signCount: 6,
                isBackupEligible: flags & 0x08 != 0, isBackedUp: flags & 0x10 != 0, isVerificationInitialized: true)
        }
    }
}

extension SoftAuthenticator {
    /// The same authenticator, which answers to these options.
    package func answering(_ options: JSON) -> SoftAuthenticator {
        var authenticator = self
        authenticator.set("challenge", (options["challenge"] ?? .null).text)
        return authenticator
    }

    package var createdText: String { get throws { json(try created()).text } }
    package var gotText: String { get throws { json(try got()).text } }
}
