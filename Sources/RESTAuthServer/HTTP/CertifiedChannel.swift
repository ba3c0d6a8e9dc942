import HummingbirdCore
import HummingbirdHTTP2
import Logging
import NIOCore
import NIOSSL
import Synchronization

/// The certificate that new connections are shown.
final class CertificateInUse: Sendable {
    fileprivate struct Version: Sendable {
        let number: Int
        let configuration: TLSConfiguration
    }

    private let version: Mutex<Version>

    init(_ configuration: TLSConfiguration) {
        version = Mutex(Version(number: 0, configuration: configuration))
    }

    func replace(with configuration: TLSConfiguration) {
        version.withLock { $0 = Version(number: $0.number + 1, configuration: configuration) }
    }

    fileprivate var current: Version { version.withLock(\.self) }
}

/// A connection with TLS, using the certificate that is in use when the connection begins.
final class CertifiedChannel: ServerChildChannel {
    private struct Made: Sendable {
        var version: Int
        var channel: HTTP2UpgradeChannel
    }

    private let certificate: CertificateInUse
    private let make: @Sendable (TLSConfiguration) throws -> HTTP2UpgradeChannel
    private let made: Mutex<Made>

    init(_ certificate: CertificateInUse, make: @escaping @Sendable (TLSConfiguration) throws -> HTTP2UpgradeChannel)
        throws
    {
        let version = certificate.current
        (self.certificate, self.make) = (certificate, make)
        made = Mutex(Made(version: version.number, channel: try make(version.configuration)))
    }

    private var present: HTTP2UpgradeChannel {
        let version = certificate.current
        return made.withLock { made in
            if made.version != version.number {
                made.version = version.number
                // The certificate was loaded once before, when it was checked. If loading it now
                // fails, the previous one stays in use.
                if let channel = try? make(version.configuration) { made.channel = channel }
            }
            return made.channel
        }
    }

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<HTTP2UpgradeChannel.Value> {
        present.setup(channel: channel, logger: logger)
    }

    /// The protocol after the handshake is the same under each certificate.
    func handle(value: HTTP2UpgradeChannel.Value, logger: Logger) async {
        await made.withLock(\.channel).handle(value: value, logger: logger)
    }
}
