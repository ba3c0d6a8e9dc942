/// The purpose of an answer of an authenticator. A challenge is good for its purpose alone.
package enum PasskeyPurpose: Sendable {
    /// Adding a passkey to a user, by the user handle: one for a second factor, or one that signs
    /// in by itself, as a user without a password needs.
    case registration(userHandle: [UInt8], isAlone: Bool)
    /// Signing in without a name: the passkey says whose it is.
    case signIn
    /// Signing in with a name.
    case signInAs(userHandle: [UInt8])
    /// The second factor of a sign-in that a ticket stands for.
    case secondFactor(userHandle: [UInt8], ticket: [UInt8])
    /// Proving again who one is, in a live session.
    case stepUp(userHandle: [UInt8], session: [UInt8])

    /// Whether the authenticator has to verify its user, by a PIN or a finger: where nothing else
    /// is proven.
    package var requiresUserVerification: Bool {
        switch self {
        case .registration(_, let isAlone): isAlone
        case .signIn, .signInAs: true
        case .secondFactor, .stepUp: false
        }
    }

    /// User handle of the user whose passkey it has to be; `nil` for any user.
    package var userHandle: [UInt8]? {
        switch self {
        case .signIn: nil
        case .registration(let handle, _), .signInAs(let handle), .secondFactor(let handle, _), .stepUp(let handle, _):
            handle
        }
    }

    /// Bytes that no other purpose has.
    var binding: [UInt8] {
        switch self {
        case .registration(let handle, let isAlone): Self.bytes(1, handle, [isAlone ? 1 : 0])
        case .signIn: Self.bytes(2)
        case .signInAs(let handle): Self.bytes(3, handle)
        case .secondFactor(let handle, let ticket): Self.bytes(4, handle, ticket)
        case .stepUp(let handle, let session): Self.bytes(5, handle, session)
        }
    }

    /// Each part with its length before it.
    private static func bytes(_ kind: UInt8, _ parts: [UInt8]...) -> [UInt8] {
        parts.reduce([kind]) { bytes, part in
            bytes + withUnsafeBytes(of: UInt64(part.count).bigEndian, Array.init) + part
        }
    }
}
