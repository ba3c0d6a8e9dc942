// The harness of `dev/fuzz`, compiled into the core: the first byte of an input says which parser
// reads the rest.
//
// Beside faults of memory and traps it finds two broken promises: an item of CBOR has one encoding,
// and a key that was accepted can be read again from its own bytes.
import Crypto
import Foundation

private let party = try? RelyingParty(publicURL: "https://example.org", topOrigins: ["https://example.com"])

private func expectation() -> PasskeyExpectation? {
    party.map { party in
        PasskeyExpectation(party, requiresUserVerification: false, userHandle: nil) {
            SpentChallenge(digest: $0, expiresAt: .distantFuture)
        }
    }
}

private func encode(_ item: CBOR) -> [UInt8] {
    func head(_ type: UInt8, _ value: UInt64) -> [UInt8] {
        switch value {
        case 0..<24: [type << 5 | UInt8(value)]
        case 24..<256: [type << 5 | 24, UInt8(value)]
        case 256..<65_536: [type << 5 | 25] + withUnsafeBytes(of: UInt16(value).bigEndian, Array.init)
        case 65_536..<4_294_967_296: [type << 5 | 26] + withUnsafeBytes(of: UInt32(value).bigEndian, Array.init)
        default: [type << 5 | 27] + withUnsafeBytes(of: value.bigEndian, Array.init)
        }
    }
    switch item {
    case .unsigned(let value): return head(0, value)
    case .negative(let value): return head(1, value)
    case .bytes(let bytes): return head(2, UInt64(bytes.count)) + bytes
    case .text(let text): return head(3, UInt64(text.count)) + text
    case .array(let elements): return head(4, UInt64(elements.count)) + elements.flatMap(encode)
    case .map(let entries):
        return head(5, UInt64(entries.count)) + entries.flatMap { encode($0.key) + encode($0.value) }
    case .bool(let value): return [value ? 0xF5 : 0xF4]
    }
}

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let input = Array(UnsafeBufferPointer(start: start, count: count))
    guard let mode = input.first, let expectation = expectation() else { return 0 }
    let bytes = Array(input.dropFirst())
    switch mode % 8 {
    case 0:
        if let item = CBOR(bytes[...]) { precondition(encode(item) == bytes, "two encodings of one item") }
    case 1:
        if let data = AuthenticatorData(bytes[...]), let credential = data.credential {
            precondition(encode(credential.publicKeyItem) == Array(credential.publicKey), "the key is not its bytes")
            if let key = COSEKey(credential.publicKeyItem), PasskeyPublicKey(key) != nil {
                precondition(PasskeyPublicKey(stored: Array(credential.publicKey)) != nil, "a key that cannot be kept")
            }
        }
    case 2:
        if let item = CBOR(bytes[...]), let key = COSEKey(item) { _ = PasskeyPublicKey(key) }
    case 3: _ = ClientData(bytes)
    case 4:
        if let object = AttestationObject(bytes) { _ = AuthenticatorData(object.authenticatorData) }
    case 5:
        if let json = JSON(bytes) {
            if let answer = try? PasskeyRegistrationAnswer(json) {
                _ = try? RegistrationCeremony(expectation).verify(answer)
            }
            if let answer = try? PasskeyAuthenticationAnswer(json) {
                _ = try? AuthenticationCeremony(expectation).verify(answer, by: nil)
            }
        }
    case 6:
        // The signature, by the key of the corpus.
        if let key = PasskeyPublicKey(stored: storedKey) { _ = key.accepts(bytes, for: [1, 2, 3]) }
    default:
        // A whole ceremony without the JSON around it: two bytes of length, client data, object.
        guard bytes.count > 2 else { return 0 }
        let length = min(Int(bytes[0]) << 8 | Int(bytes[1]), bytes.count - 2)
        let json: JSON = [
            "id": "AA", "rawId": "AA", "type": "public-key",
            "response": [
                "clientDataJSON": .string(Base64.url.encode(bytes[2..<2 + length])),
                "attestationObject": .string(Base64.url.encode(bytes[(2 + length)...])),
                "authenticatorData": .string(Base64.url.encode(bytes[(2 + length)...])),
                "signature": "AAAA",
            ],
        ]
        if let answer = try? PasskeyRegistrationAnswer(json) {
            _ = try? RegistrationCeremony(expectation).verify(answer)
        }
        if let answer = try? PasskeyAuthenticationAnswer(json) {
            _ = try? AuthenticationCeremony(expectation).verify(answer, by: nil)
        }
    }
    return 0
}

private let storedKey: [UInt8] = {
    let point = Array(P256.Signing.PrivateKey().publicKey.rawRepresentation)
    return [0xA5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20] + point.prefix(32)
        + [0x22, 0x58, 0x20] + point.suffix(32)
}()
