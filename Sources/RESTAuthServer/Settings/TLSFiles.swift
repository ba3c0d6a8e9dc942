import Foundation
import NIOCore
package import NIOSSL
package import RESTAuth
import RESTAuthHummingbird

/// The PEM files of a certificate chain and its private key.
package struct TLSFiles: Sendable, Hashable {
    let certificate: String
    let key: String

    /// TLS 1.3 with that certificate, and TLS 1.2 with only the cipher suites that have forward
    /// secrecy and authenticated encryption (RFC 9325 section 4.2).
    /// - Throws: `misconfigured` for files that cannot be read, are not PEM, or do not belong
    ///   together, saying which.
    package func configuration() throws(AuthError) -> TLSConfiguration {
        let (certificateBytes, keyBytes) = (
            try Self.contents(of: certificate, "certificate"), try Self.contents(of: key, "key")
        )
        let chain = try Self.chain(certificateBytes, certificate)
        let privateKey = try Self.privateKey(keyBytes, key)
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(privateKey))
        configuration.minimumTLSVersion = .tlsv12
        configuration.cipherSuites = "ECDHE+AESGCM:ECDHE+CHACHA20"
        // Applies to a client that does not answer the closing alert.
        configuration.shutdownTimeout = .seconds(2)
        do {
            _ = try NIOSSLContext(configuration: configuration)
        } catch {
            throw AuthError(
                .misconfigured,
                """
                the TLS certificate \(certificate) and the TLS key \(key) do not belong together: the key must be that \
                of the first certificate in the file
                """)
        }
        return configuration
    }

    /// The server's own certificate, the first in the file.
    var leaf: NIOSSLCertificate? {
        (try? RegularFile(certificate).bytes()).flatMap { try? NIOSSLCertificate.fromPEMBytes($0).first }
    }

    private static func contents(of file: String, _ kind: String) throws(AuthError) -> [UInt8] {
        do {
            return try RegularFile(file).bytes()
        } catch {
            throw AuthError(.misconfigured, "the TLS \(kind) \(file) could not be read: \(error.reason)")
        }
    }

    private static func chain(_ bytes: [UInt8], _ file: String) throws(AuthError) -> [NIOSSLCertificate] {
        if let chain = try? NIOSSLCertificate.fromPEMBytes(bytes), !chain.isEmpty { return chain }
        let reason =
            if bytes.isEmpty { "it is empty" } else if has(bytes, "PRIVATE KEY-----") {
                "it has a key: tls_certificate and tls_key may have changed places"
            } else if has(bytes, "-----BEGIN CERTIFICATE-----") { "a certificate in it is damaged" } else {
                "it is not PEM, text that begins with -----BEGIN CERTIFICATE-----"
            }
        throw AuthError(.misconfigured, "the TLS certificate \(file) could not be read: \(reason)")
    }

    private static func privateKey(_ bytes: [UInt8], _ file: String) throws(AuthError) -> NIOSSLPrivateKey {
        let isEncrypted = has(bytes, "-----BEGIN ENCRYPTED PRIVATE KEY-----") || has(bytes, "Proc-Type: 4,ENCRYPTED")
        // For an encrypted key the library would ask for the passphrase on a terminal.
        if !isEncrypted, let key = try? NIOSSLPrivateKey(bytes: bytes, format: .pem) { return key }
        let reason =
            if bytes.isEmpty { "it is empty" } else if isEncrypted {
                """
                it is encrypted, and nobody is there to type its passphrase; decrypt it: openssl pkey -in \(file) -out \
                FILE
                """
            } else if has(bytes, "PRIVATE KEY-----") {
                "the key in it is damaged, or of a kind that is not known here"
            } else if has(bytes, "-----BEGIN CERTIFICATE-----") {
                "it has a certificate: tls_certificate and tls_key may have changed places"
            } else { "it is not PEM, text that begins with -----BEGIN PRIVATE KEY-----" }
        throw AuthError(.misconfigured, "the TLS key \(file) could not be read: \(reason)")
    }

    private static func has(_ bytes: [UInt8], _ text: String) -> Bool { bytes.firstRange(of: Array(text.utf8)) != nil }
}

extension NIOSSLCertificate {
    /// The IP addresses in the certificate.
    var addresses: [String] {
        _subjectAlternativeNames().compactMap { name in
            name.nameType == .ipAddress ? Network.text(of: Array(name.contents)) : nil
        }
    }

    /// The DNS names in the certificate, in lower case.
    var hostNames: [String] {
        _subjectAlternativeNames().compactMap { name in
            name.nameType == .dnsName ? String(decoding: name.contents, as: UTF8.self).lowercased() : nil
        }
    }
}
