package import RESTAuth

/// The URL by which clients reach the server. The URLs in `Location` begin with it, its path begins
/// the path of the cookie, and tokens carry it unchanged (`iss`).
package enum PublicURL {
    /// The URL without a trailing slash, and with its scheme in lower case.
    ///
    /// - Throws: `misconfigured`, with what to write, for text that is no `http` or `https` URL
    ///   (RFC 3986 section 3, RFC 9110 section 4.2), or has more than a host, a port and a path.
    package static func read(_ text: String) throws(AuthError) -> String {
        if let advice = advice(on: WireText(text)) { throw AuthError(.misconfigured, advice) }
        let url = WireText(text)
        return (url.before(":").lowercased.string + url.from(":").string).trimmingSlashes
    }

    private static func advice(on text: WireText) -> String? {
        guard let parts = OriginParts(text) else { return "it begins with https://" }
        if !parts.isWeb { return "its scheme is \(parts.scheme.string)" }
        if parts.hasUser { return "leave out the user before the host" }
        if !text.bytes.allSatisfy({ $0 < 0x80 }) {
            return "write the host as browsers send it, in ASCII: https://xn--bcher-kva.example, and a path encoded"
        }
        if text.bytes.contains(UInt8(ascii: "#")) { return "leave out the fragment, from # on" }
        if text.bytes.contains(UInt8(ascii: "?")) { return "leave out the query, from ? on" }
        if parts.port == .invalid || parts.port == .any { return "a port is a number from 1 to 65535" }
        if !parts.hasHost { return "its host is no name or address" }
        return adviceOnPath(parts.rest)
    }

    /// Advice on a path that cannot be used: a semicolon would end the path of a cookie, and
    /// clients remove dot segments.
    private static func adviceOnPath(_ path: WireText) -> String? {
        if let byte = path.bytes.first(where: { !isPathByte($0) }) {
            return "its path has the character \(Unicode.Scalar(byte).debugDescription), which cannot stand in it"
        }
        for segment in path.elements(at: "/") {
            guard let decoded = FormBody.decode(Array(segment.bytes)[...]) else {
                return "a % in its path stands before two hexadecimal digits, as in %20, and spells UTF-8"
            }
            if WireText(decoded).equals(".") || WireText(decoded).equals("..") {
                return "leave out the . and .. of its path"
            }
        }
        return nil
    }

    private static func isPathByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "-._~/%!$&()*+,=:@".utf8.contains(byte)
        }
    }
}
