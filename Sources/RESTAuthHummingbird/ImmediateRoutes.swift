package import HTTPTypes
import Hummingbird
import NIOCore
import RESTAuth

/// The routes that can be answered without waiting: that the process lives, and what a remembered
/// token gives access to, need neither the database nor another thread.
///
/// A server may ask this before its router. `nil` says nothing about the request: the router has to
/// answer it.
package struct ImmediateRoutes: Sendable {
    private let places: [Place]

    /// The paths of these routes; the number in an answer is an index into this list.
    package var paths: [String] { places.map(\.route) }

    private struct Place: Sendable {
        let route: String
        /// The whole path, or its beginning.
        let path: WireText
        let isBeginning: Bool
        let readsQuery: Bool
        let respond: @Sendable (HTTPRequest) -> ImmediateAnswer?

        init?(_ route: Route) {
            guard route.method == .get, let respond = route.respondAtOnce else { return nil }
            let beginning = WireText(route.path).before(end: "**")
            self.route = route.path
            path = beginning ?? WireText(route.path)
            isBeginning = beginning != nil
            readsQuery = route.readsQuery
            self.respond = respond
        }

        func isPlace(of target: WireText) -> Bool {
            let path = readsQuery ? target.before("?") : target
            return isBeginning ? path.bytes.starts(with: self.path.bytes) : path == self.path
        }
    }

    package init(_ routes: [Route]) {
        places = routes.compactMap(Place.init)
    }

    /// Answers a request, if that needs no waiting.
    /// - Returns: the answer, the path of its route, and the route's index in ``paths``.
    package func answer(to request: HTTPRequest) -> (answer: ImmediateAnswer, route: String, number: Int)? {
        // The router's middlewares decide which pages may ask and read the answer.
        guard request.method == .get, !request.headerFields.contains(.origin),
            !request.headerFields.contains(.secFetchSite), let target = request.path.map({ WireText($0) }),
            let number = places.firstIndex(where: { $0.isPlace(of: target) })
        else { return nil }
        return places[number].respond(request).map { ($0, places[number].route, number) }
    }
}

/// A 200 that was made without waiting: JSON, or fields and no body.
package struct ImmediateAnswer: Sendable {
    package let fields: HTTPFields
    package let body: [UInt8]

    init(fields: HTTPFields) {
        self.fields = fields
        body = []
    }

    init(_ json: JSON) {
        fields = [.contentType: "application/json"]
        body = json.bytes
    }

    /// The answer as a route behind the router gives it.
    var response: Response {
        guard body.isEmpty else { return .json(ByteBuffer(bytes: body)) }
        var response = Response.empty(.ok)
        response.headers.append(contentsOf: fields)
        return response
    }
}
