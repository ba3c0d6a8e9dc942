package import Hummingbird
package import RESTAuth
import Synchronization

/// A request that a route handles.
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

    /// The caller who makes the request, with the identity if the route has proven one.
    package var caller: Caller {
        let caller = unidentified.caller
        return identity.map(caller.identified) ?? caller
    }

    func identified(as identity: Identity?) -> RoutedRequest {
        var request = self
        request.identity = identity
        return request
    }

    /// The segment of the path in the place of `{name}`.
    func segment(_ name: String) throws -> String {
        let text = try parameters.require(name)
        // No name has a NUL, which a database cannot compare.
        guard !text.utf8.contains(0) else { throw Problem.notFound }
        return text
    }
}

/// A caller that is made once, when it is first needed: checking a token needs none.
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
