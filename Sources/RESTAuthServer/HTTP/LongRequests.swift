import HTTPTypes
import NIOCore
import RESTAuth
import RESTAuthHummingbird

/// The requests whose body may be larger, and take longer to come, than that of others, once their
/// route has admitted who sends it (``LongBody``).
struct LongRequests: Sendable {
    private let paths: [WireText]

    static let none = LongRequests([])

    /// - Parameter routes: the routes, of which those that take a long body count, by `POST`.
    init(_ routes: [Route]) {
        paths = routes.filter { $0.takesLongBody && $0.method == .post }.map { WireText($0.path) }
    }

    func contains(_ head: HTTPRequest) -> Bool {
        guard head.method == .post, let path = head.path else { return false }
        return paths.contains(WireText(path).before("?"))
    }
}

/// An event that lifts the limits of the request whose body this is: sent when its route has
/// admitted who sends it.
struct LongBodyAdmission: Sendable {
    let body: LongBody
}

/// The time for which a client may let the server wait for the end of a line.
struct LinePatience {
    private let limit: TimeAmount
    /// What is left of it for the line that is arriving.
    private var left: TimeAmount

    init(_ limit: TimeAmount) { (self.limit, left) = (limit, limit) }

    /// The time to give up, if the server waits from now on.
    var deadline: NIODeadline { .now() + left }

    mutating func renew() { left = limit }

    /// Takes a part of the body, for which the server would have waited until that time.
    mutating func take(_ bytes: ByteBuffer, by deadline: inout NIODeadline?) {
        if bytes.readableBytesView.contains(UInt8(ascii: "\n")) {
            renew()
        } else if let deadline {
            left = max(.zero, deadline - .now())
        }
        deadline = nil
    }
}

extension LongBody {
    /// The body of the request that a channel is receiving.
    convenience init(of channel: any Channel) {
        self.init { body in channel.triggerUserOutboundEvent(LongBodyAdmission(body: body), promise: nil) }
    }
}
