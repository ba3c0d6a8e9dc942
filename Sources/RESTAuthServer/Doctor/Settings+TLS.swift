import Foundation
import NIOSSL
import RESTAuth
import RESTAuthHummingbird

/// Findings about the certificate: its validity and its names.
extension Settings {
    var findingsOnTLS: [Finding] {
        guard let tls, let leaf = tls.leaf else { return [] }
        return [validity(of: leaf, in: tls.certificate), names(of: leaf, in: tls.certificate)].compactMap(\.self)
    }

    private func validity(of leaf: NIOSSLCertificate, in file: String) -> Finding? {
        let end = Date(timeIntervalSince1970: Double(leaf.notValidAfter))
        let days = Int(end.timeIntervalSinceNow / 86400)
        let remedy = "renew it and put the new one in its place"
        if end < .now { return .wrong(file, "the certificate \(file) expired at \(end.ISO8601Format())", remedy) }
        if Date(timeIntervalSince1970: Double(leaf.notValidBefore)) > .now {
            return .wrong(file, "the certificate \(file) is not good yet", "look at the clock, or wait")
        }
        guard days < 14 else { return nil }
        return .dangerous(file, "the certificate \(file) expires at \(end.ISO8601Format())", remedy)
    }

    private func names(of leaf: NIOSSLCertificate, in file: String) -> Finding? {
        let (names, addresses) = (leaf.hostNames, leaf.addresses)
        guard !names.isEmpty || !addresses.isEmpty else {
            return .wrong(
                file, "the certificate \(file) is for no name (it has no subjectAltName), so no client takes it",
                "get one for the name that clients use")
        }
        guard let host = routes.publicURL.flatMap({ URLComponents(string: $0)?.host?.lowercased() }) else { return nil }
        let address = Network.canonical(host.trimmingCharacters(in: CharacterSet(charactersIn: "[]")))
        let isCovered = address.map(addresses.contains) ?? names.contains { covers($0, host) }
        guard !isCovered else { return nil }
        return .wrong(
            file,
            """
            the certificate \(file) is for \((names + addresses).joined(separator: ", ")), and clients are told to use \
            \(host)
            """,
            "get one for \(host), or correct public_url")
    }

    /// Whether a name in a certificate covers a host (RFC 6125 section 6.4.3): a star stands for
    /// exactly one label.
    private func covers(_ name: String, _ host: String) -> Bool {
        guard name.hasPrefix("*.") else { return name == host }
        return host.firstIndex(of: ".").map { host[$0...] == name.dropFirst() } ?? false
    }
}
