import Foundation
import Synchronization

/// A proxy between a client and PostgreSQL that alters the server's messages, one by one.
public final class AlteringProxy: Sendable {
    /// A message of the server: the byte that gives its kind, and the bytes after its length.
    public struct Message: Sendable {
        public var kind: UInt8
        public var body: [UInt8]

        public init(_ kind: Character, _ body: [UInt8] = []) {
            self.kind = kind.asciiValue ?? 0
            self.body = body
        }

        init(kind: UInt8, body: [UInt8]) {
            self.kind = kind
            self.body = body
        }

        public func `is`(_ kind: Character) -> Bool { self.kind == kind.asciiValue }

        /// The message as it is sent.
        public var bytes: [UInt8] {
            [kind] + withUnsafeBytes(of: Int32(body.count + 4).bigEndian) { Array($0) } + body
        }
    }

    /// Returns the bytes that replace a message.
    public typealias Alteration = @Sendable (Message) -> [UInt8]

    public let port: Int
    private let server: PostgresServer
    private let listener: Int32
    private let alteration = Mutex<Alteration?>(nil)
    private let ends = Mutex<Set<Int32>>([])

    public init(to server: PostgresServer) throws {
        self.server = server
        port = try FreePort.next()
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in.loopback(port: UInt16(port))
        guard address.withSocketAddress({ bind(listener, $0, $1) }) == 0, listen(listener, 128) == 0 else {
            throw POSIXError(.EADDRINUSE)
        }
        Thread { [weak self, listener] in
            while case let client = Foundation.accept(listener, nil, nil), client >= 0 {
                guard let self else {
                    close(client)
                    break
                }
                link(client)
            }
            close(listener)
        }.start()
    }

    /// The URL of a database through the proxy, without encryption: encrypted messages cannot be
    /// altered.
    public func url(_ database: String) -> String {
        server.networkURL(database, port: port, options: "sslmode=disable&gssencmode=disable")
    }

    /// Sets the alteration of messages from now on; `nil` for none.
    public func alter(_ alteration: Alteration?) { self.alteration.withLock { $0 = alteration } }

    /// Stops accepting connections, and closes those that are open.
    public func end() {
        shutdown(listener, Int32(SHUT_RDWR))
        cut()
    }

    /// Closes every connection.
    public func cut() { ends.withLock { ends in for end in ends { shutdown(end, Int32(SHUT_RDWR)) } } }

    private func link(_ client: Int32) {
        let database = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in.loopback(port: UInt16(server.port))
        guard fcntl(client, F_SETFD, FD_CLOEXEC) == 0,
            address.withSocketAddress({ connect(database, $0, $1) }) == 0
        else {
            close(client)
            close(database)
            return
        }
        ends.withLock { $0.formUnion([client, database]) }
        let directions = Atomic(2)
        let isOver: @Sendable () -> Void = { [self] in
            for end in [client, database] { shutdown(end, Int32(SHUT_RDWR)) }
            guard directions.subtract(1, ordering: .sequentiallyConsistent).newValue == 0 else { return }
            ends.withLock { $0.subtract([client, database]) }
            for end in [client, database] { close(end) }
        }
        Thread {
            while let bytes = Self.receive(from: client), Self.send(bytes, to: database) {}
            isOver()
        }.start()
        Thread { [self] in
            var unread: [UInt8] = []
            while let bytes = Self.receive(from: database) {
                unread += bytes
                var out: [UInt8] = []
                while let message = Self.nextMessage(in: &unread) {
                    out += alteration.withLock { $0 }?(message) ?? message.bytes
                }
                guard Self.send(out, to: client) else { break }
            }
            isOver()
        }.start()
    }

    private static func nextMessage(in bytes: inout [UInt8]) -> Message? {
        guard bytes.count >= 5 else { return nil }
        let length = bytes[1..<5].reduce(0) { $0 << 8 | Int($1) }
        guard length >= 4, bytes.count > length else { return nil }
        defer { bytes.removeFirst(length + 1) }
        return Message(kind: bytes[0], body: Array(bytes[5..<length + 1]))
    }

    private static func receive(from socket: Int32) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: 65536)
        let count = recv(socket, &bytes, bytes.count, 0)
        return count > 0 ? Array(bytes[..<count]) : nil
    }

    private static func send(_ bytes: [UInt8], to socket: Int32) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            let sent = rest.withUnsafeBytes { Foundation.send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard sent > 0 else { return false }
            rest = rest.dropFirst(sent)
        }
        return true
    }
}
