package import RESTAuth

extension Network {
    /// Reads the proxy, or the range of them, that an operator has written.
    /// - Throws: `misconfigured`, with what to write, for text that ``init(_:)`` does not
    ///   understand, and for the unspecified address, which no proxy has.
    package init(written text: String) throws(AuthError) {
        guard let network = Network(text) else { throw AuthError(.misconfigured, Self.advice(on: WireText(text))) }
        guard !network.isUnspecified else {
            throw AuthError(
                .misconfigured, "that is an address to listen on, and no proxy's: write the proxy's, such as 127.0.0.1")
        }
        self = network
    }

    private static let meanings: [(words: [StaticString], meaning: String)] = [
        (["localhost", "loopback", "local"], "127.0.0.1,::1"),
        (
            ["private_ranges", "private", "uniquelocal", "linklocal"],
            "10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,fc00::/7, or better the proxy's own address"
        ),
    ]

    private static func advice(on text: WireText) -> String {
        let all: [StaticString] = ["*", "all", "any", "true", "yes"]
        if all.contains(where: { text.isWord($0) }) {
            return "who believes everybody can be told any address: write the proxy's own, such as 127.0.0.1"
        }
        if let (_, meaning) = meanings.first(where: { $0.words.contains { text.isWord($0) } }) {
            return "write \(meaning)"
        }
        if text.lowercased.begins(with: "unix") {
            return "for who comes over a unix-domain socket write unix: and nothing else"
        }
        if text.bytes.contains(where: { $0 <= 0x20 || "\"';{}".utf8.contains($0) }) {
            return "write addresses with commas between them and without quotes, as 127.0.0.1,10.0.0.0/8"
        }
        if let address = address(ofHop: text) { return "write the address alone: \(address)" }
        let range = text.from("/")
        if !range.isEmpty, address(ofHop: text.before("/")) != nil {
            return "behind the slash stands how many bits are the same in all of a range, as in 10.0.0.0/8 or fd00::/8"
        }
        return "it is no address, and names are not looked up: write the proxy's address, or a range such as 10.0.0.0/8"
    }
}
