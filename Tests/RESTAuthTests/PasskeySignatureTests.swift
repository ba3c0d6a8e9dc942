import Authenticators
import Foundation
import RESTAuth
import Testing

/// Signatures that others have thought of, most of them wrong in one place (Project Wycheproof).
@Suite struct PasskeySignatureTests {
    private struct File: Decodable { let groups: [Group] }

    private struct Group: Decodable {
        let key: String
        let signatures: [Signature]
    }

    private struct Signature: Decodable {
        let comment: String
        let message: String
        let signature: String
        let isGood: Bool
    }

    @Test func onlyGoodSignaturesAreGood() throws {
        let path = "../../Vectors/passkey-signatures.json"
        let file = URL(fileURLWithPath: #filePath).appending(path: path).standardized
        let groups = try JSONDecoder().decode(File.self, from: Data(contentsOf: file)).groups
        var good = 0
        for group in groups {
            let key = try #require(PasskeyPublicKey(stored: hex(group.key)))
            for signature in group.signatures {
                let isTaken = key.accepts(hex(signature.signature), for: hex(signature.message))
                #expect(isTaken == signature.isGood, "\(signature.comment)")
                if isTaken { good += 1 }
            }
        }
        #expect(good == 262)
    }
}
