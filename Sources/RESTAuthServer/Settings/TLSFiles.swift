import NIOCore
import NIOSSL
import RESTAuth

/// The PEM files of a certificate chain and its private key.
struct TLSFiles {
    let certificate: String
    let key: String

    /// TLS 1.3 with that certificate, and of TLS 1.2 what has forward secrecy and authenticated
    /// encryption (RFC 9325 section 4.2).
    /// - Throws: `misconfigured` when the files are not there, not PEM, or do not belong together.
    func configuration() throws -> TLSConfiguration {
        do {
            var configuration = TLSConfiguration.makeServerConfiguration(
                certificateChain: try NIOSSLCertificate.fromPEMFile(certificate).map { .certificate($0) },
                privateKey: .privateKey(try NIOSSLPrivateKey(file: key, format: .pem)))
            configuration.minimumTLSVersion = .tlsv12
            configuration.cipherSuites = "ECDHE+AESGCM:ECDHE+CHACHA20"
            // For a client that does not say farewell in its turn.
            configuration.shutdownTimeout = .seconds(2)
            _ = try NIOSSLContext(configuration: configuration)
            return configuration
        } catch {
            throw AuthError(
                .misconfigured,
                "the certificate \(certificate) and key \(key) cannot be used: they must be PEM files that belong together"
            )
        }
    }

    /// The names that the certificate is for, as far as a client can ask for one: DNS names, a
    /// wildcard's among them.
    var hostNames: [String] {
        guard let leaf = try? NIOSSLCertificate.fromPEMFile(certificate).first else { return [] }
        return leaf._subjectAlternativeNames().filter { $0.nameType == .dnsName }
            .map { String(decoding: $0.contents, as: UTF8.self).replacing("*", with: "auth") }
    }
}
