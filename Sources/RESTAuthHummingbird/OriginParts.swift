import RESTAuth

/// The parts of an origin (RFC 6454), or of what was meant as one: in small letters, and without
/// the port that a scheme has anyway.
struct OriginParts: Hashable {
    enum Port: Hashable {
        /// Of the scheme.
        case standard
        case number(Int)
        /// A star.
        case any
        case invalid
    }

    let scheme: WireText
    let host: WireText
    let port: Port
    /// Whether a user stands before the host, which no origin has.
    let hasUser: Bool
    /// A path, query or fragment.
    let rest: WireText

    /// `nil` for a text without a scheme (RFC 3986 section 3.1).
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
        // The colons of an IPv6 address stand in brackets.
        let bracket = place.first == UInt8(ascii: "[") ? place.firstIndex(of: UInt8(ascii: "]")) : nil
        let colon = place[(bracket ?? place.startIndex)...].firstIndex(of: UInt8(ascii: ":")) ?? place.endIndex
        host = Self.canonical(WireText(Substring(place[..<colon])))
        port = Self.port(WireText(Substring(place[colon...])), of: scheme)
    }

    private static func isAlpha(_ byte: UInt8) -> Bool { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) }

    private static func isSchemeByte(_ byte: UInt8) -> Bool {
        isAlpha(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || "+-.".utf8.contains(byte)
    }

    /// An IPv6 address has one spelling among many (RFC 5952).
    private static func canonical(_ host: WireText) -> WireText {
        let address = host.after("[")?.before(end: "]").flatMap { HostName.canonicalIPv6($0.string) }
        return address.map { WireText("[\($0)]") } ?? host
    }

    /// - Parameter text: with its colon.
    private static func port(_ text: WireText, of scheme: WireText) -> Port {
        guard let text = text.after(":") else { return .standard }
        if text.equals("*") { return .any }
        guard let number = text.decimalNumber, (1...65535).contains(number) else { return .invalid }
        let isStandard = scheme.equals("http") && number == 80 || scheme.equals("https") && number == 443
        return isStandard ? .standard : .number(Int(number))
    }

    /// Whether its scheme is the web's, and not an application's own.
    var isWeb: Bool { scheme.equals("http") || scheme.equals("https") }

    /// Whether a browser would call a page so.
    var isOrigin: Bool { hasHost && rest.isEmpty && port != .any && port != .invalid }

    /// Whether the host is one as browsers send it, with nothing before it.
    var hasHost: Bool { !hasUser && hasValidHost }

    var hasValidHost: Bool { HostName.isValid(host.string) && (!isWeb || isAddress || isRegisteredName) }

    private var isAddress: Bool { host.begins(with: "[") || HostName.isIPv4(host.string) }

    /// Where the last label is a number, all of it would have to be an address (URL Standard
    /// section 3.5).
    private var isRegisteredName: Bool {
        let name = host.before(end: ".") ?? host
        let labels = name.bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
            .map { WireText(Substring($0)) }
        return labels.allSatisfy { !$0.isEmpty } && labels.last?.isDigits == false
    }

    var isLoopback: Bool { HostName.isLoopback(host.string) }
}
