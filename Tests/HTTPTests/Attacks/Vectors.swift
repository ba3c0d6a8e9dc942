import Foundation

/// Test vectors from standards, kept as JSON.
enum Vectors {
    struct ForeignTokens: Decodable {
        let tokens: [Entry]

        struct Entry: Decodable {
            let id: String
            let token: String
        }
    }

    struct Signatures: Decodable {
        let signatures: [Entry]

        struct Entry: Decodable {
            let comment: String
            let hex: String

            var bytes: [UInt8] {
                let digits = Array(hex)
                return stride(from: 0, to: digits.count - 1, by: 2).compactMap {
                    UInt8(String(digits[$0...$0 + 1]), radix: 16)
                }
            }
        }
    }

    struct Basic: Decodable {
        let accept: [Entry]
        let refuse: [String]

        struct Entry: Decodable, Sendable {
            let user: String
            let password: String
            let header: String
        }
    }

    static func foreignTokens() throws -> [ForeignTokens.Entry] {
        try load(ForeignTokens.self, "foreign-tokens").tokens
    }
    static func signatures() throws -> [Signatures.Entry] { try load(Signatures.self, "ecdsa-signatures").signatures }
    static func basic() throws -> Basic { try load(Basic.self, "basic") }

    private static func load<Value: Decodable>(_ type: Value.Type, _ name: String) throws -> Value {
        let file = URL(fileURLWithPath: #filePath).appending(path: "../../../Vectors/\(name).json").standardized
        return try JSONDecoder().decode(type, from: Data(contentsOf: file))
    }
}
