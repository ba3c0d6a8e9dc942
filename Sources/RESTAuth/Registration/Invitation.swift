import Crypto
public import Foundation
import PasswordHashing

/// An invitation, by which one user may register.
public struct Invitation: Sendable, Hashable, Identifiable {
    /// Id for the operator. It is not secret and opens nothing.
    public let id: String
    /// Note of the operator: for whom the invitation is.
    public let note: String
    public let createdAt: Date
    /// Time from which the invitation is not valid any more.
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
    /// The code, for the invited person only: 140 random bits as seven groups of four characters.
    public let value: String

    init() {
        let characters = Array(Self.random(28))
        value = stride(from: 0, to: characters.count, by: 4).map { String(characters[$0..<$0 + 4]) }.joined(
            separator: "-")
    }

    /// Digits and capitals without those that look alike (0 and O, 1 and I): 32 characters, five
    /// bits each.
    private static let alphabet = Array("23456789ABCDEFGHJKLMNPQRSTUVWXYZ")

    static func random(_ count: Int) -> String {
        String(Random.bytes(count).map { alphabet[Int($0 & 31)] })
    }

    /// SHA-256 of a code, ignoring case, hyphens and blanks. A text that is not a code has a digest
    /// too, which no stored code has.
    static func digest(of text: String) -> [UInt8] {
        let counting = text.unicodeScalars.filter { $0.value != 0x2D && !$0.properties.isWhitespace }
        let capitals = String(counting).utf8.map { (0x61...0x7A).contains($0) ? $0 & 0xDF : $0 }
        return Array(SHA256.hash(data: Data(capitals)))
    }
}

extension InvitationCode: Redacted {}
