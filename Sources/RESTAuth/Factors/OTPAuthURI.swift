/// The secret with the names that an authenticator app shows beside its codes, in the Key URI
/// Format of Google Authenticator, which all apps read.
///
/// Algorithm, digits and period are the defaults of every app and are left out. The issuer stands
/// both in the label and in a parameter, because some apps read the one and some the other.
package struct OTPAuthURI: Sendable {
    package let value: String

    /// Longest issuer and account, percent-encoded; longer ones are cut. With both at their longest
    /// the QR code has 85 modules a side, which a telephone still reads from a screen.
    static let longestIssuer = 96
    static let longestAccount = 192

    /// Makes the URI.
    /// - Parameters:
    ///   - issuer: the name by which users know the instance.
    ///   - account: the user's name.
    ///   - secret: the secret, which stands in the URI in the clear.
    package init(issuer: String, account: String, secret: TOTPSecret) {
        let issuer = Self.encoded(issuer, limit: Self.longestIssuer)
        let account = Self.encoded(account, limit: Self.longestAccount)
        value = "otpauth://totp/\(issuer):\(account)?secret=\(secret.base32)&issuer=\(issuer)"
    }

    /// Percent-encodes all but unreserved characters (RFC 3986 section 2.3), a blank as `%20`: apps
    /// disagree about a plus sign.
    ///
    /// A colon becomes a hyphen, because apps split the label at the first colon, encoded or not. A
    /// name that is too long ends with an ellipsis.
    private static func encoded(_ name: String, limit: Int) -> String {
        var encoded: [UInt8] = []
        for scalar in name.unicodeScalars {
            let bytes = UTF8.encode(scalar.value == 0x3A ? "-" : scalar).map(Array.init) ?? []
            let next = bytes.flatMap { isUnreserved($0) ? [$0] : percentEncoded($0) }
            guard encoded.count + next.count <= limit else {
                encoded += Array("…".utf8).flatMap(percentEncoded)
                break
            }
            encoded += next
        }
        return String(decoding: encoded, as: UTF8.self)
    }

    private static func isUnreserved(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
            UInt8(ascii: "~"):
            true
        default: false
        }
    }

    private static func percentEncoded(_ byte: UInt8) -> [UInt8] {
        [UInt8(ascii: "%"), hexDigit(byte >> 4), hexDigit(byte & 0x0F)]
    }

    private static func hexDigit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "A") + value - 10
    }
}

extension OTPAuthURI: Redacted {}
