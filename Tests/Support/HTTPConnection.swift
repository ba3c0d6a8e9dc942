import Foundation

/// A connection that sends exactly the given bytes, because tests have to send what a well-behaved
/// client library never would.
public final class HTTPConnection {
    private let descriptor: Int32
    private var buffer: [UInt8] = []

    /// The time that a read or write may take before it fails.
    public var patience = Patience.limit

    /// Runs as long as this connection is referenced, even if the test does not name it any more.
    private let server: RunningServer?

    /// - Parameters:
    ///   - port: the port to connect to.
    ///   - server: the server behind it, when it is to run as long as this connection.
    public init(port: Int, server: RunningServer? = nil) async throws {
        self.server = server
        // Closed in child processes, so that a server started later does not keep it open.
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        guard descriptor >= 0 else { throw POSIXError(.EMFILE) }
        var address = sockaddr_in.loopback(port: UInt16(port))
        if address.withSocketAddress({ connect(descriptor, $0, $1) }) != 0 {
            guard errno == EINPROGRESS else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .ECONNREFUSED) }
            try await ready(.writable)
            var (error, size) = (Int32(0), socklen_t(MemoryLayout<Int32>.size))
            getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &size)
            guard error == 0 else { throw POSIXError(POSIXErrorCode(rawValue: error) ?? .ECONNREFUSED) }
        }
        var on: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
    }

    deinit { close(descriptor) }

    private func ready(_ event: Readiness.Event) async throws {
        try await Readiness.shared.wait(for: event, on: descriptor, until: .now + patience)
    }

    /// Sends a well-formed request and reads the answer.
    public func send(
        _ method: String, _ path: String, headers: [String] = [], body: String? = nil
    ) async throws -> HTTPAnswer {
        var head = "\(method) \(path) HTTP/1.1\r\n"
        if !headers.contains(where: { $0.lowercased().hasPrefix("host:") }) { head += "Host: 127.0.0.1\r\n" }
        for header in headers { head += header + "\r\n" }
        if let body { head += "Content-Length: \(body.utf8.count)\r\n" }
        try await write(Array((head + "\r\n" + (body ?? "")).utf8))
        return try await readAnswer(isHead: method == "HEAD")
    }

    /// Sends these bytes. An end of the connection while sending is not an error: there may be an
    /// answer to read.
    public func write(_ bytes: [UInt8]) async throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                Foundation.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count > 0 {
                rest = rest.dropFirst(count)
            } else if errno == EAGAIN {
                try await ready(.writable)
            } else {
                return
            }
        }
    }

    public func write(_ text: String) async throws { try await write(Array(text.utf8)) }

    /// Closes the sending side.
    public func finishWriting() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// Reads one answer.
    /// - Throws: ``ConnectionEnded`` when the connection ends before it is complete.
    public func readAnswer(isHead: Bool = false) async throws -> HTTPAnswer {
        while true {
            if let end = buffer.firstRange(of: Array("\r\n\r\n".utf8)) {
                let head = String(decoding: buffer[..<end.lowerBound], as: UTF8.self)
                var answer = HTTPAnswer(head: head)
                buffer.removeFirst(end.upperBound)
                if answer.status == 100 { continue }
                let length = isHead || answer.status == 204 ? 0 : Int(answer["Content-Length"] ?? "") ?? 0
                while buffer.count < length { try await fill() }
                answer.bodyBytes = Array(buffer.prefix(length))
                buffer.removeFirst(length)
                return answer
            }
            try await fill()
        }
    }

    /// Whether the other side has closed the connection; reads and discards everything it still
    /// sent.
    public func isEnded() async -> Bool {
        do {
            while true {
                try await fill()
                buffer = []
            }
        } catch { return error is ConnectionEnded }
    }

    private func fill() async throws {
        while true {
            var bytes = [UInt8](repeating: 0, count: 65536)
            let count = recv(descriptor, &bytes, bytes.count, 0)
            if count > 0 {
                buffer += bytes.prefix(count)
                return
            }
            switch errno {
            case _ where count == 0, ECONNRESET: throw ConnectionEnded()
            case EAGAIN: try await ready(.readable)
            case EINTR: continue
            default: throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO)
            }
        }
    }

    /// Reads until `text` has arrived and returns everything up to its end.
    public func read(until text: String) async throws -> String {
        while true {
            if let end = buffer.firstRange(of: Array(text.utf8)) {
                let read = String(decoding: buffer[..<end.upperBound], as: UTF8.self)
                buffer.removeFirst(end.upperBound)
                return read
            }
            try await fill()
        }
    }
}

public struct ConnectionEnded: Error {}

/// A parsed answer.
public struct HTTPAnswer: Sendable {
    public let status: Int
    /// Header fields, with names in lower case, in the order in which they were sent.
    public let headers: [(name: String, value: String)]
    public fileprivate(set) var bodyBytes: [UInt8] = []

    fileprivate init(head: String) {
        let lines = head.components(separatedBy: "\r\n")
        status = Int(lines[0].split(separator: " ").dropFirst().first ?? "") ?? 0
        headers = lines.dropFirst().map { line in
            let colon = line.firstIndex(of: ":") ?? line.endIndex
            return (line[..<colon].lowercased(), line[colon...].dropFirst().trimmingCharacters(in: .whitespaces))
        }
    }

    /// The value of the first field of that name.
    public subscript(name: String) -> String? { all(name).first }

    public func all(_ name: String) -> [String] {
        headers.filter { $0.name == name.lowercased() }.map(\.value)
    }

    public var body: String { String(decoding: bodyBytes, as: UTF8.self) }

    public var json: [String: Any] {
        (try? JSONSerialization.jsonObject(with: Data(bodyBytes))) as? [String: Any] ?? [:]
    }

    /// The code of a problem document; `nil` for any other answer.
    public var code: String? {
        guard self["Content-Type"] == "application/problem+json", json["status"] as? Int == status else { return nil }
        return json["code"] as? String
    }
}

/// The header line of HTTP Basic authentication.
public func basic(_ username: String, _ password: String) -> String {
    "Authorization: Basic " + Data("\(username):\(password)".utf8).base64EncodedString()
}

public func bearer(_ token: String) -> String { "Authorization: Bearer \(token)" }

/// The JSON text of a flat object.
public func json(_ members: [String: Any]) -> String {
    let data = try? JSONSerialization.data(withJSONObject: members, options: [.sortedKeys])
    return String(decoding: data ?? Data(), as: UTF8.self)
}

extension sockaddr_in {
    static func loopback(port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return address
    }

    mutating func withSocketAddress(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
        withUnsafePointer(to: &self) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }
}
