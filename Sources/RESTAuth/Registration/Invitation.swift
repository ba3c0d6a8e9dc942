import Crypto
public import Foundation
import PasswordHashing

/// Lets one user register.
public struct Invitation: Sendable, Hashable, Identifiable {
    /// Names it for an operator, and opens nothing.
    public let id: String
    /// For the operator: for whom it is.
    public let note: String
    public let createdAt: Date
    /// From then on it is good for nothing.
    public let expiresAt: Date

    public init(id: String, note: String, createdAt: Date, expiresAt: Date) {
        self.id = id
        self.note = note
        self.createdAt = createdAt
        self.expiresAt = expiresAt
    }
}

/// The code of an invitation, shown once: whoever has it may register one user.
public struct InvitationCode: Sendable {
    /// For the invited only: 140 random bits as seven groups of four characters.
    public let value: String

    init() {
        let characters = Array(Self.random(28))
        value = stride(from: 0, to: characters.count, by: 4).map { String(characters[$0..<$0 + 4]) }.joined(
            separator: "-")
    }

    /// Digits and capitals, of two that look alike only one: no 0 and O, no 1 and I. As many as
    /// five bits can tell apart.
    private static let alphabet = Array("23456789ABCDEFGHJKLMNPQRSTUVWXYZ")

    static func random(_ count: Int) -> String {
        String(Random.bytes(count).map { alphabet[Int($0 & 31)] })
    }

    /// SHA-256 of the characters of a code that count: its case, hyphens and blanks do not. The
    /// digest of a text that is no code is not stored for any code.
    static func digest(of text: String) -> [UInt8] {
        let counting = text.unicodeScalars.filter { $0.value != 0x2D && !$0.properties.isWhitespace }
        let capitals = String(counting).utf8.map { (0x61...0x7A).contains($0) ? $0 & 0xDF : $0 }
        return Array(SHA256.hash(data: Data(capitals)))
    }
}

extension InvitationCode: Redacted {}
