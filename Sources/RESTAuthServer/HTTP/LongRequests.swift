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

extension LongBody {
    /// The body of the request that a channel is receiving.
    convenience init(of channel: any Channel) {
        self.init { body in channel.triggerUserOutboundEvent(LongBodyAdmission(body: body), promise: nil) }
    }
}
