import Foundation
import RESTAuth

struct AddressSettings: SettingGroup {
    static let title = "Address"

    let hostname = Setting(
        "hostname", \.listenAddress, .listenAddress,
        "Address to listen on, * for all addresses, or unix: and the path of a socket.",
        details: """
            `*`, `::` and `[::]` stand for all addresses, of IPv4 and IPv6; `localhost` stands for both loopback \
            addresses.
            """)
    let port = Setting(
        "port", \.port, .count(in: 0...65535, of: "port"), platformName: "PORT", "Port to listen on.",
        details: "`0` takes a free port.")
}

struct SocketSettings: SettingGroup {
    static let title = "Unix-domain socket"

    let mode = Setting(
        "socket_mode", \.socketMode, .fileMode, "Permissions of a unix-domain socket, in octal digits.",
        details: "Whoever may write to the socket may connect.")
    let group = Setting(
        "socket_group", \.socketGroup, .group, standard: "that of the process",
        "Group of a unix-domain socket, by name or number.",
        details: "The process must be a member of that group.")
}

struct TLSSettings: SettingGroup {
    static let title = "TLS"

    let certificate = Setting(
        "tls_certificate", \.tlsCertificate, SettingType.file.or("none"),
        "PEM file with the certificate chain; turns on TLS 1.2 and 1.3, and HTTP/2.",
        details: """
            TLS 1.2 is limited to cipher suites with forward secrecy and authenticated encryption. The file is read \
            again when it is replaced, and on SIGHUP.
            """)
    let key = Setting(
        "tls_key", \.tlsKey, SettingType.file.or("none"), "PEM file with the private key of the certificate.")
}

extension Setting {
    static let address = AddressSettings()
    static let socket = SocketSettings()
    static let tls = TLSSettings()
}

extension ListenAddress {
    var text: String {
        switch self {
        case .everywhere: "*"
        case .host(let host): host
        case .unixSocket(let path): "unix:\(path)"
        }
    }
}

extension SettingType<ListenAddress> {
    fileprivate static let listenAddress = SettingType(
        placeholder: "address", range: "an address, the name of one, or unix: and a path", text: \.text
    ) { found throws(AuthError) in
        do throws(ListenAddress.Misreading) {
            return try ListenAddress(found.value)
        } catch {
            throw found.refused(error.reason)
        }
    }
}

extension SettingType<mode_t> {
    /// A YAML file may have 0660 or 0o660, or 660 with the same meaning.
    fileprivate static let fileMode = SettingType(
        "mode", "a mode in octal digits that lets its owner read and write, such as 0660",
        text: { "0" + String($0, radix: 8) }
    ) { text in
        let digits = text.hasPrefix("0o") ? text.dropFirst(2) : text[...]
        return mode_t(digits, radix: 8).flatMap { $0 <= 0o777 && $0 & 0o600 == 0o600 ? $0 : nil }
    }
}

extension SettingType<gid_t> {
    fileprivate static let group = SettingType(
        "group", "a group of this machine, by name or number", text: { "\($0)" }
    ) { text in
        gid_t(text) ?? getgrnam(text)?.pointee.gr_gid
    }
}
