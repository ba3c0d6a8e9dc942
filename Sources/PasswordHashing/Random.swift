#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// The one source of random bytes, for secrets, salts and ids: the operating system's generator.
package enum Random {
    /// The most bytes that the system gives at once (`getentropy`).
    package static let largestDraw = 256

    /// Draws bytes. The process ends when the system gives none: nothing that it made after that
    /// would be secret.
    package static func bytes(_ count: Int) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: count) { buffer, drawn in
            while drawn < count {
                let piece = min(count - drawn, largestDraw)
                let isDrawn = getentropy(buffer.baseAddress.map { $0 + drawn }, piece) == 0
                // `getentropy` fails for a bad address or for more than 256 bytes, neither of which
                // it is given here, or where the system has no generator.
                guard isDrawn else { fatalError("the system gives no random bytes") }
                drawn += piece
            }
        }
    }
}
