public import Foundation

/// The promises about the tickets and tries that a sign-in of several steps spends.
public protocol SignInStorage: Sendable {
    /// Spends the first of these digests that has not been spent: in the table of spent challenges,
    /// with those that registrations spend, and swept with them.
    ///
    /// Of callers that spend at the same time, no two spend the same digest.
    /// - Parameters:
    ///   - digests: the digests that can be spent, in that order.
    ///   - expiresAt: the time until which a spent digest is remembered.
    /// - Returns: whether there was one left.
    func spendOne(of digests: [[UInt8]], until expiresAt: Date) async throws -> Bool
}
