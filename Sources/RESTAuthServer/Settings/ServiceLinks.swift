import RESTAuth

/// Finds the variables that Kubernetes sets for every service of the namespace, and Docker for
/// every linked container. For a service named `rest-auth`, or with a name that begins so, they
/// look like settings of this server.
///
/// A variable is recognised by name and value together, so that a misspelt setting is not taken for
/// one.
package enum ServiceLinks {
    /// Names of these variables, sorted.
    package static func names(in environment: [String: String]) -> [String] {
        environment.keys.filter { isOne($0, in: environment) }.sorted()
    }

    /// Whether the variable is one of these, such as `REST_AUTH_PORT=tcp://10.96.0.12:80`.
    static func isOne(_ name: String, in environment: [String: String]) -> Bool {
        guard let value = environment[name].map({ $0.utf8 }) else { return false }
        // A service cannot have an empty name, but `PORT` with a URL is meant the same way.
        if name == Setting.address.port.platformName { return isURL(value) }
        guard name.utf8.starts(with: Setting.environmentPrefix.utf8) else { return false }
        let words = name.utf8.split(separator: UInt8(ascii: "_"), omittingEmptySubsequences: false).map(Substring.init)
        // The first two words are those of the prefix.
        return words.indices.dropFirst(2).contains { at in
            switch words[at] {
            case "SERVICE": isService(words[(at + 1)...], value)
            case "PORT": isPort(words[(at + 1)...], value)
            case "NAME": at == words.endIndex - 1 && isContainer(value)
            case "ENV": isLinked(words[..<at], in: environment)
            default: false
            }
        }
    }

    // MARK: Names

    /// `SERVICE_HOST`, `SERVICE_PORT`, `SERVICE_PORT_HTTPS`.
    private static func isService(_ words: ArraySlice<Substring>, _ value: String.UTF8View) -> Bool {
        switch words.first {
        case "HOST": words.count == 1 && isAddress(value)
        case "PORT": isNumber(value)
        default: false
        }
    }

    /// `PORT`, `PORT_80_TCP` and `PORT_80_TCP_ADDR`, `_PORT`, `_PROTO`. Docker's port ranges have
    /// `_START` and `_END`.
    private static func isPort(_ words: ArraySlice<Substring>, _ value: String.UTF8View) -> Bool {
        guard let number = words.first else { return isURL(value) }
        guard isNumber(number.utf8), protocols.contains(where: { $0 == words.dropFirst().first?.lowercased() }) else {
            return false
        }
        return switch words.dropFirst(2).joined(separator: "_") {
        case "", "START", "END": isURL(value)
        case "ADDR": isAddress(value)
        case "PORT", "PORT_START", "PORT_END": isNumber(value)
        case "PROTO": protocols.contains { $0.utf8.elementsEqual(value) }
        default: false
        }
    }

    /// Whether the variable is the linked container's own, of any name: there is a variable with
    /// the link's name.
    private static func isLinked(_ words: ArraySlice<Substring>, in environment: [String: String]) -> Bool {
        environment[words.joined(separator: "_") + "_NAME"].map { isContainer($0.utf8) } ?? false
    }

    // MARK: Values

    private static let protocols = ["tcp", "udp", "sctp"]

    /// `tcp://10.96.0.12:80`, `udp://[fd00::12]:53`.
    private static func isURL(_ value: String.UTF8View) -> Bool {
        guard let scheme = protocols.first(where: { value.starts(with: "\($0)://".utf8) }) else { return false }
        let authority = value.dropFirst(scheme.utf8.count + 3)
        guard let colon = authority.lastIndex(of: UInt8(ascii: ":")) else { return false }
        var host = authority[..<colon]
        if host.first == UInt8(ascii: "["), host.last == UInt8(ascii: "]") { host = host.dropFirst().dropLast() }
        return isAddress(host) && isNumber(authority[authority.index(after: colon)...])
    }

    /// `/web/database`: the name of the container that has the link, and the name of the link
    /// there.
    private static func isContainer(_ value: String.UTF8View) -> Bool {
        value.first == UInt8(ascii: "/") && value.dropFirst().contains(UInt8(ascii: "/"))
    }

    /// An IP address or the name of a host.
    private static func isAddress(_ value: some Collection<UInt8>) -> Bool {
        !value.isEmpty
            && value.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: ":"), UInt8(ascii: "-"):
                    true
                default: false
                }
            }
    }

    private static func isNumber(_ value: some Collection<UInt8>) -> Bool {
        (1...5).contains(value.count)
            && value.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    }
}
