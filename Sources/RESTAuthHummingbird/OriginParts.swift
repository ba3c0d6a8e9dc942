import RESTAuth

/// The parts of an origin (RFC 6454), or of text that was meant as one: in lower case, and without
/// the scheme's default port.
struct OriginParts: Hashable {
    enum Port: Hashable {
        /// No port, or the scheme's default port.
        case standard
        case number(Int)
        /// A star, for every port.
        case any
        case invalid
    }

    let scheme: WireText
    let host: WireText
    let port: Port
    /// Whether there is a user before the host, which no origin has.
    let hasUser: Bool
    /// The path, query and fragment; empty in an origin.
    let rest: WireText

    /// `nil` for text without a scheme and two slashes after it (RFC 3986 section 3.1).
    init?(_ text: WireText) {
        let text = text.lowercased
        scheme = text.before(":")
        guard let first = scheme.bytes.first, Self.isAlpha(first), scheme.bytes.allSatisfy(Self.isSchemeByte),
            let hierarchy = text.from(":").after("://")?.bytes
        else { return nil }
        let end = hierarchy.firstIndex { "/?#".utf8.contains($0) } ?? hierarchy.endIndex
        rest = WireText(Substring(hierarchy[end...]))
        let authority = hierarchy[..<end]
        let at = authority.lastIndex(of: UInt8(ascii: "@"))
        hasUser = at != nil
        let place = authority[(at.map(authority.index(after:)) ?? authority.startIndex)...]
        // Colons in brackets are those of an IPv6 address.
        let bracket = place.first == UInt8(ascii: "[") ? place.firstIndex(of: UInt8(ascii: "]")) : nil
        let colon = place[(bracket ?? place.startIndex)...].firstIndex(of: UInt8(ascii: ":")) ?? place.endIndex
        host = Self.canonical(WireText(Substring(place[..<colon])))
        port = Self.port(WireText(Substring(place[colon...])), of: scheme)
    }

    private static func isAlpha(_ byte: UInt8) -> Bool { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) }

    private static func isSchemeByte(_ byte: UInt8) -> Bool {
        isAlpha(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || "+-.".utf8.contains(byte)
    }

    /// The host, with an IPv6 address in its canonical spelling (RFC 5952).
    private static func canonical(_ host: WireText) -> WireText {
        let address = host.after("[")?.before(end: "]").flatMap { HostName.canonicalIPv6($0.string) }
        return address.map { WireText("[\($0)]") } ?? host
    }

    /// - Parameter text: the port with its colon; empty for none.
    private static func port(_ text: WireText, of scheme: WireText) -> Port {
        guard let text = text.after(":") else { return .standard }
        if text.equals("*") { return .any }
        guard let number = text.decimalNumber, (1...65535).contains(number) else { return .invalid }
        let isStandard = scheme.equals("http") && number == 80 || scheme.equals("https") && number == 443
        return isStandard ? .standard : .number(Int(number))
    }

    /// Whether the scheme is `http` or `https`, and not an application's own.
    var isWeb: Bool { scheme.equals("http") || scheme.equals("https") }

    /// Whether this is an origin as a browser sends it.
    var isOrigin: Bool { hasHost && rest.isEmpty && port != .any && port != .invalid }

    /// Whether the host is one as browsers send it, with no user before it.
    var hasHost: Bool { !hasUser && hasValidHost }

    var hasValidHost: Bool { HostName.isValid(host.string) && (!isWeb || isAddress || isRegisteredName) }

    private var isAddress: Bool { host.begins(with: "[") || HostName.isIPv4(host.string) }

    /// Whether every label is there and the last is no number: with a number at the end, the whole
    /// host would have to be an address (URL Standard section 3.5).
    private var isRegisteredName: Bool {
        let name = host.before(end: ".") ?? host
        let labels = name.bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
            .map { WireText(Substring($0)) }
        return labels.allSatisfy { !$0.isEmpty } && labels.last?.isDigits == false
    }

    var isLoopback: Bool { HostName.isLoopback(host.string) }
}
