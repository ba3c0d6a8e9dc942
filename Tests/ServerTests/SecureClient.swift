import Foundation
import Support

/// A TLS connection that sends exactly the given text, with `openssl s_client`.
final class SecureClient: Sendable {
    private let process: ExternalProcess

    init(to server: SecureServer, speaking application: String = "http/1.1") throws {
        process = try ExternalProcess(
            ExternalProcess.program("openssl"),
            ["s_client", "-quiet", "-connect", "127.0.0.1:\(server.port)", "-alpn", application],
            directory: server.directory, input: .lines)
    }

    deinit { process.kill() }

    /// Sends the text and a line end.
    func send(_ line: String) { process.send(line: line) }

    /// Waits until the server has sent this text.
    func read(until text: String) async throws { try await wait(for: text) { self.hasRead(text) } }

    func hasRead(_ text: String) -> Bool { process.outputBytes.firstRange(of: Array(text.utf8)) != nil }

    /// Waits for the server to end the connection.
    func isEnded() async throws -> Bool {
        _ = try await process.exitStatus()
        return true
    }

    var isOpen: Bool { process.isRunning }

    /// Suspends the client: it neither reads nor writes nor closes the connection.
    func freeze() { process.send(SIGSTOP) }

    /// Sends `line` repeatedly, with short pauses, until the connection has ended.
    func drip(_ line: String) async throws {
        while isOpen {
            send(line)
            // The pause is the attack: a client that is never silent for long enough.
            try await Task.sleep(for: .milliseconds(20))
        }
    }
}

/// Frames of HTTP/2 (RFC 9113) that consist of ASCII bytes only, to be sent as lines: the last byte
/// of a frame is the line end.
enum HTTP2Line {
    /// The preface, empty settings, and a ping.
    static let opening = opening(settings: "")
    /// The same from a client that accepts no body: with an initial window of 0.
    static let openingWithoutWindow = opening(settings: "\0\u{4}\0\0\0\0")
    static let ping = header(length: 8, type: 6, stream: 0) + "rest-au"
    /// Widens the connection's window.
    static let windowUpdate = header(length: 4, type: 8, stream: 0) + "\0\0\0"
    /// Half the fields of a request, which would need more frames.
    static let halfRequest = header(length: 9, type: 1, stream: 1) + "\0\u{7}:metho"
    static let continuation = header(length: 9, type: 9, stream: 1) + "\0\u{3}abc\u{3}a"

    /// A request, whole or with a body still to come, and a ping.
    static func request(_ method: String, _ path: String, stream: UInt8, isWhole: Bool = true) -> String {
        head(method, path, stream: stream, isWhole: isWhole) + ping
    }

    /// A request alone, which does not end with a line end.
    /// - Parameter fields: names in lower case; all fields together have at most 127 bytes.
    static func head(
        _ method: String, _ path: String, stream: UInt8, isWhole: Bool = true, fields: [(String, String)] = []
    ) -> String {
        let pseudo = [(":method", method), (":scheme", "https"), (":authority", "localhost"), (":path", path)]
        let fields = (pseudo + fields).map { "\0" + text($0) + text($1) }.joined()
        return frame(type: 1, flags: isWhole ? 5 : 4, stream: stream, fields)
    }

    private static func opening(settings: String) -> String {
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(type: 4, stream: 0, settings) + ping
    }

    /// A string literal of HPACK (RFC 7541 section 5.2).
    private static func text(_ text: String) -> String { byte(text.utf8.count) + text }

    private static func frame(type: UInt8, flags: UInt8 = 0, stream: UInt8, _ payload: String = "") -> String {
        header(length: payload.utf8.count, type: type, flags: flags, stream: stream) + payload
    }

    private static func header(length: Int, type: UInt8, flags: UInt8 = 0, stream: UInt8) -> String {
        "\0\0" + [length, Int(type), Int(flags), 0, 0, 0, Int(stream)].map(byte).joined()
    }

    private static func byte(_ number: Int) -> String { String(UnicodeScalar(UInt8(number & 0x7F))) }
}
