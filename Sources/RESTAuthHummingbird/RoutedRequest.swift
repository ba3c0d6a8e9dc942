package import Hummingbird
package import RESTAuth
import Synchronization

/// A request that a route has taken.
package struct RoutedRequest: Sendable {
    package let http: Request
    private let parameters: Parameters
    private let unidentified: CallerOnDemand
    private var identity: Identity?

    init(_ http: Request, in context: some RequestContext) {
        self.http = http
        parameters = context.parameters
        unidentified = CallerOnDemand { context.caller(http) }
    }

    /// Whoever makes it, and who that is where the route has made sure of it.
    package var caller: Caller {
        let caller = unidentified.caller
        return identity.map(caller.identified) ?? caller
    }

    func identified(as identity: Identity?) -> RoutedRequest {
        var request = self
        request.identity = identity
        return request
    }

    /// The segment of the path that stands in the place of `{name}`.
    func segment(_ name: String) throws -> String { try parameters.require(name) }
}

/// Made once, and not before a door wants it: a token is judged without.
private final class CallerOnDemand: Sendable {
    private let make: @Sendable () -> Caller
    private let made = Mutex<Caller?>(nil)

    init(_ make: @escaping @Sendable () -> Caller) {
        self.make = make
    }

    var caller: Caller {
        made.withLock { made in
            if let made { return made }
            let caller = make()
            made = caller
            return caller
        }
    }
}
