import Glibc

/// One keep-alive connection with at most one request on its way. A connection that breaks ends the
/// program: the measurement would be worth nothing.
struct Connection {
    let socket: Int32
    /// When the request on its way was due; `nil` while the connection is free.
    private(set) var due: Double?
    private let request: [UInt8]
    private var received: [UInt8] = []

    init(host: String, port: UInt16, request: String) {
        self.request = Array(request.utf8)
        socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        guard inet_pton(AF_INET, host, &address.sin_addr) == 1 else { fail("\(host) is not an IPv4 address") }
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let connected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(socket, $0, size) }
        }
        guard connected == 0 else { fail("cannot connect to \(host):\(port)") }
        var on: Int32 = 1
        setsockopt(socket, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
    }

    mutating func send(due: Double) {
        self.due = due
        let sent = Glibc.send(socket, request, request.count, Int32(MSG_NOSIGNAL))
        guard sent == request.count else { fail("the server closed a connection before a request") }
    }

    /// Reads what has arrived. Answers only when that completes the response.
    mutating func receive() -> (due: Double, status: Int)? {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = recv(socket, &buffer, buffer.count, 0)
        guard count > 0, let due else { fail("the server closed a connection") }
        received += buffer[..<count]
        guard let status = completeStatus() else { return nil }
        received.removeAll(keepingCapacity: true)
        self.due = nil
        return (due, status)
    }

    /// The status code, once head and body are both here; the body's length is what
    /// `Content-Length` says.
    private func completeStatus() -> Int? {
        let text = String(decoding: received, as: UTF8.self)
        guard let blank = text.utf8.firstRange(of: "\r\n\r\n".utf8) else { return nil }
        let lines = text[..<blank.lowerBound].split(separator: "\r\n")
        guard let status = lines.first?.split(separator: " ").dropFirst().first.flatMap({ Int($0) }) else {
            fail("not an HTTP response")
        }
        let length = lines.lazy.compactMap { line -> Int? in
            let parts = line.split(separator: ":", maxSplits: 1)
            guard parts.count == 2, parts[0].lowercased() == "content-length" else { return nil }
            return Int(parts[1].drop { $0 == " " })
        }.first
        guard let length else { fail("a response without Content-Length") }
        return text[blank.upperBound...].utf8.count >= length ? status : nil
    }
}

func fail(_ message: String) -> Never {
    let line = Array("steady-load: \(message)\n".utf8)
    write(STDERR_FILENO, line, line.count)
    exit(1)
}
