package import PasswordHashing

/// A pepper that users' hashes need and that is not configured: these users cannot sign in.
package struct MissingPepper: Sendable, Hashable {
    package let use: PepperUse
    /// The number of users in the sample who need it.
    package let users: Int
    package let sample: Int

    /// The number of users in the sample, at even distances of their ids.
    package static let sampleSize = 200

    /// Finds the peppers that are needed, besides the configured one.
    /// - Parameters:
    ///   - hashes: the hashes of the users in the sample.
    ///   - pepper: the configured one.
    /// - Returns: the peppers, the most needed first.
    package static func all(among hashes: [String], besides pepper: PasswordPepper?) -> [MissingPepper] {
        all(among: hashes, besidesID: pepper?.id)
    }

    /// - Parameter id: the id of the configured pepper.
    package static func all(among hashes: [String], besidesID id: String?) -> [MissingPepper] {
        let needed = hashes.compactMap { PasswordHash($0)?.pepper }.filter { $0.id != id }
        return Dictionary(grouping: needed) { $0 }
            .map { MissingPepper(use: $0, users: $1.count, sample: hashes.count) }
            .sorted { ($0.users, $1.use.id) > ($1.users, $0.use.id) }
    }

    /// The warning for the operator.
    package var text: String {
        """
        \(users) of \(sample) users who were looked at came with a pepper (\(use.construction.rawValue), id \(use.id)) \
        that is not the one of password_pepper, and cannot sign in: set password_pepper to the one that they were \
        imported with
        """
    }
}
