import HTTPTypes
import NIOCore
import RESTAuthHummingbird

/// How long the answers to one route and method took, by class of status.
struct RequestSeries: Sendable {
    /// From 1xx to 5xx.
    private let classes: [HistogramCell?]

    fileprivate init(_ registry: MetricRegistry, route: String, method: String) {
        classes = (1...5).map { status in
            registry.histogram(
                MetricFamily.requestDuration, [("route", route), ("method", method), ("status", "\(status)xx")])
        }
    }

    func record(_ status: HTTPResponse.Status, took time: TimeAmount) {
        let index = status.code / 100 - 1
        if classes.indices.contains(index) { classes[index]?.recordNanoseconds(time.nanoseconds) }
    }
}

/// The series of requests, all made before the first one comes.
///
/// Their labels are the patterns of the router's routes, and methods that are registered; everything
/// else is "-".
final class RequestMetrics: Sendable {
    private struct Endpoint: Hashable {
        let method: String
        let route: String
    }

    private let matched: [Endpoint: RequestSeries]
    /// Requests that no route took.
    private let unmatched: [HTTPRequest.Method: RequestSeries]
    private let unknown: RequestSeries
    /// Answers that need no router, by the number of the route.
    private let immediate: [RequestSeries]
    private let inFlight: GaugeCell?

    /// The label of what is not known.
    private static let none = "-"

    init(_ registry: MetricRegistry, endpoints: [(method: HTTPRequest.Method, route: String)]) {
        matched = Dictionary(
            endpoints.map { method, route in
                (
                    Endpoint(method: method.rawValue, route: route),
                    RequestSeries(registry, route: route, method: method.rawValue)
                )
            }
        ) { one, _ in one }
        unmatched = Dictionary(
            uniqueKeysWithValues: [.get, .head, .post, .put, .patch, .delete, .options].map { method in
                (method, RequestSeries(registry, route: Self.none, method: method.rawValue))
            })
        unknown = RequestSeries(registry, route: Self.none, method: Self.none)
        immediate = ImmediateRoutes.Route.allCases.map { route in
            RequestSeries(registry, route: route.pattern, method: HTTPRequest.Method.get.rawValue)
        }
        inFlight = registry.gauge(MetricFamily.requestsInFlight)
    }

    /// The series of what the router answered; `route` is `nil` where no route took it.
    func series(_ method: HTTPRequest.Method, _ route: String?) -> RequestSeries {
        if let route, let series = matched[Endpoint(method: method.rawValue, route: route)] { return series }
        return unmatched[method] ?? unknown
    }

    func series(_ route: ImmediateRoutes.Route) -> RequestSeries { immediate[route.rawValue] }

    func began() { inFlight?.increment(by: 1) }
    func ended() { inFlight?.decrement(by: 1) }
}
