import Crypto
package import Foundation

/// Time-based one-time codes (RFC 6238) of the kind that every authenticator app makes:
/// HMAC-SHA-1, six digits, a new code every 30 seconds.
package enum TOTP {
    /// Length of a step in seconds.
    package static let period = 30
    /// Number of steps before and after the present one whose codes are accepted, for clocks that
    /// differ and for the time it takes to type (RFC 6238 section 5.2).
    package static let skew: Int64 = 1

    /// The number of the step that contains `date`; 0 before 1970.
    package static func step(at date: Date) -> Int64 {
        let step = (date.timeIntervalSince1970 / TimeInterval(period)).rounded(.down)
        return max(0, Int64(exactly: step) ?? 0)
    }
}

extension TOTPSecret {
    /// The code of a step (RFC 4226 section 5.3).
    package func code(for step: Int64) -> OneTimeCode {
        let counter = withUnsafeBytes(of: step.bigEndian, Array.init)
        let digest = Array(HMAC<Insecure.SHA1>.authenticationCode(for: counter, using: key))
        // The last four bits say which four bytes of the twenty.
        let offset = Int((digest.last ?? 0) & 0x0F)
        let number = digest.dropFirst(offset).prefix(4).reduce(0) { $0 << 8 | UInt32($1) }
        return OneTimeCode(lastDigitsOf: number & 0x7FFF_FFFF)
    }

    /// Finds the newest step around `date` that has this code; `nil` when none has.
    ///
    /// All codes of the window are computed and compared, whichever matches. Of two requests with
    /// the same code at once both find its step here, and the storage accepts one: it replaces a
    /// step only by a greater one.
    /// - Parameters:
    ///   - code: the code that was given.
    ///   - date: the present time.
    ///   - last: the step of the last code that was accepted; 0 for none. Only greater steps are
    ///     found.
    package func step(matching code: OneTimeCode, at date: Date, after last: Int64) -> Int64? {
        let present = TOTP.step(at: date)
        return (present - TOTP.skew...present + TOTP.skew).reduce(nil) { newest, step in
            let isEqual = self.code(for: step).isEqual(to: code)
            return isEqual && step > last ? step : newest
        }
    }
}
