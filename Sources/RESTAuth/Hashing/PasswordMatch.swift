/// Which spelling of a password a hash is of.
package enum PasswordMatch: Sendable, Hashable {
    case none
    /// The one that is hashed here.
    case canonical
    /// Only the one that was typed: other programs hashed that.
    case typed

    /// Compares every spelling that `password` has, whatever came of the other: how long it takes
    /// tells what was typed, and nothing of what it is compared with.
    /// - Parameters:
    ///   - password: `nil` for what could be none, which costs one comparison.
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
