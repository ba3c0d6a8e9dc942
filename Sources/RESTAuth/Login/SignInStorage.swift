public import Foundation

/// The promises about what a sign-in of several steps uses up.
public protocol SignInStorage: Sendable {
    /// Spends the first of these that has not been spent: in the table of spent challenges, with
    /// what registrations spend, and swept with it.
    ///
    /// Of many who spend at once no two spend the same.
    /// - Parameters:
    ///   - digests: of what can be spent, in the order in which it is.
    ///   - expiresAt: until when it is remembered.
    /// - Returns: whether there was one.
    func spendOne(of digests: [[UInt8]], until expiresAt: Date) async throws -> Bool
}
