import NIOSSL
import RESTAuth

/// The PEM files of a certificate chain and its private key.
struct TLSFiles {
    let certificate: String
    let key: String

    /// TLS 1.2 and 1.3 with that certificate.
    /// - Throws: `misconfigured` when the files are not there, not PEM, or do not belong together.
    func configuration() throws -> TLSConfiguration {
        do {
            var configuration = TLSConfiguration.makeServerConfiguration(
                certificateChain: try NIOSSLCertificate.fromPEMFile(certificate).map { .certificate($0) },
                privateKey: .privateKey(try NIOSSLPrivateKey(file: key, format: .pem)))
            configuration.minimumTLSVersion = .tlsv12
            _ = try NIOSSLContext(configuration: configuration)
            return configuration
        } catch {
            throw AuthError(
                .misconfigured,
                "the certificate \(certificate) and key \(key) cannot be used: they must be PEM files that belong together"
            )
        }
    }
}
