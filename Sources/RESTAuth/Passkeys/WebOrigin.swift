/// The origin of a page as browsers write it (RFC 6454 section 6.2), in the only spelling that
/// they give it.
///
/// `https` with any host; `http` with `localhost` and what is below it, which browsers trust as
/// well.
package struct WebOrigin: Sendable {
    package let text: String
    /// Host in small letters.
    package let host: String

    /// Takes an origin that is spelled as browsers spell it: small letters, no path, no port where
    /// it is the scheme's own.
    package init?(_ text: String) {
        guard let origin = WebOrigin(ofURL: text), origin.text.utf8.elementsEqual(text.utf8) else { return nil }
        self = origin
    }

    /// The origin of a URL.
    package init?(ofURL url: String) {
        let url = WireText(url).lowercased
        let secure = url.after("https://")
        guard let rest = secure ?? url.after("http://") else { return nil }
        let authority = rest.before("/").before("?").before("#")
        let host = authority.before(":")
        guard DomainName.isValid(host), secure != nil || DomainName.isLocal(host) else { return nil }
        var text = (secure == nil ? "http://" : "https://") + host.string
        let port = authority.from(":")
        if !port.isEmpty {
            guard let number = Self.number(ofPort: port) else { return nil }
            if number != (secure == nil ? 80 : 443) { text += ":\(number)" }
        }
        self.text = text
        self.host = host.string
    }

    /// The number after a colon, without zeros in front.
    private static func number(ofPort text: WireText) -> Int64? {
        guard let digits = text.after(":"), digits.bytes.first != UInt8(ascii: "0"),
            let number = digits.decimalNumber, number <= 65_535
        else { return nil }
        return number
    }

    /// Whether a page there may use passkeys of that relying party without being named at
    /// `/.well-known/webauthn`.
    package func isWithin(_ relyingPartyID: String) -> Bool {
        host.utf8.elementsEqual(relyingPartyID.utf8)
            || WireText(host).before(end: WireText("." + relyingPartyID)) != nil
    }
}

/// A name in the domain name system, as browsers write it: labels of small letters, digits and
/// hyphens.
enum DomainName {
    /// Whether it is one, and no address.
    static func isValid(_ name: WireText) -> Bool {
        let labels = name.bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard (1...253).contains(name.bytes.count), labels.allSatisfy(isLabel) else { return false }
        // The last label of an address is a number (the URL Standard, section 3.5).
        return labels.last?.allSatisfy { isDigit($0) } == false && labels.last?.starts(with: "0x".utf8) == false
    }

    /// Whether it is this machine's name for itself (RFC 6761 section 6.3).
    static func isLocal(_ name: WireText) -> Bool { name.equals("localhost") || name.ends(with: ".localhost") }

    private static func isLabel(_ label: Substring.UTF8View.SubSequence) -> Bool {
        (1...63).contains(label.count) && label.first != UInt8(ascii: "-") && label.last != UInt8(ascii: "-")
            && label.allSatisfy { isDigit($0) || $0 == UInt8(ascii: "-") || isSmallLetter($0) }
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

    private static func isSmallLetter(_ byte: UInt8) -> Bool { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) }
}
