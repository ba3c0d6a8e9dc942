/// The spelling of a password that a hash is of.
package enum PasswordMatch: Sendable, Hashable {
    case none
    /// The normalised spelling, which is the one that is hashed here.
    case canonical
    /// Only the spelling that was typed, which other programs hashed.
    case typed

    /// Compares every spelling of `password`, whatever the result of the other: the time depends on
    /// what was typed, and not on what it is compared with.
    /// - Parameters:
    ///   - password: `nil` for text that cannot be a password, which costs one comparison.
    ///   - verify: whether a hash is of these bytes.
    package init(of password: Password?, with verify: ([UInt8]) throws -> Bool) rethrows {
        guard let password else {
            _ = try verify(Array("x".utf8))
            self = .none
            return
        }
        let isCanonical = try verify(password.bytes)
        let hasTwoSpellings = password.typedBytes != password.bytes
        let isTyped = try hasTwoSpellings && verify(password.typedBytes)
        self = isCanonical ? .canonical : isTyped ? .typed : .none
    }
}
