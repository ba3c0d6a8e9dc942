import HTTPTypes
import NIOCore
import Synchronization

/// Durations of the answers to one route and method, by status class.
final class RequestSeries: Sendable {
    private let registry: MetricRegistry
    private let route: String
    private let method: String
    // Made when first used: most routes answer few methods, and most methods few status classes.
    private let successful = AtomicLazyReference<HistogramCell>()
    private let redirected = AtomicLazyReference<HistogramCell>()
    private let refused = AtomicLazyReference<HistogramCell>()
    private let failed = AtomicLazyReference<HistogramCell>()

    fileprivate init(_ registry: MetricRegistry, route: String, method: String) {
        self.registry = registry
        self.route = route
        self.method = method
    }

    func record(_ status: HTTPResponse.Status, took time: TimeAmount) {
        switch status.kind {
        case .successful: (successful.load() ?? successful.storeIfNil(cell("2xx"))).recordNanoseconds(time.nanoseconds)
        case .redirection: (redirected.load() ?? redirected.storeIfNil(cell("3xx"))).recordNanoseconds(time.nanoseconds)
        case .clientError: (refused.load() ?? refused.storeIfNil(cell("4xx"))).recordNanoseconds(time.nanoseconds)
        case .serverError: (failed.load() ?? failed.storeIfNil(cell("5xx"))).recordNanoseconds(time.nanoseconds)
        case .informational, .invalid: break
        }
    }

    private func cell(_ status: String) -> HistogramCell {
        registry.histogram(
            MetricFamily.requestDuration, [("route", route), ("method", method), ("status", status)])
            ?? HistogramCell()
    }
}

/// The duration series of requests.
///
/// Their labels are the patterns of the router's routes, and the methods that the route's path
/// answers; everything else is "-". All series objects are made before the first request, so that
/// recording only looks one up.
final class RequestMetrics: Sendable {
    /// The series of one route, by method.
    private struct Route: Sendable {
        private let series: [HTTPRequest.Method: RequestSeries]
        private let other: RequestSeries

        init(_ registry: MetricRegistry, _ route: String, _ methods: Set<HTTPRequest.Method>) {
            series = Dictionary(
                uniqueKeysWithValues: RequestMetrics.methods.intersection(methods).map { method in
                    (method, RequestSeries(registry, route: route, method: method.rawValue))
                })
            other = RequestSeries(registry, route: route, method: RequestMetrics.none)
        }

        subscript(_ method: HTTPRequest.Method) -> RequestSeries { series[method] ?? other }
    }

    private let routes: [String: Route]
    private let unmatched: Route
    /// The series of `GET` routes that are answered before the router, by the number of the route.
    private let immediate: [RequestSeries]
    private let inFlight: GaugeCell?

    /// Methods that have series of their own.
    private static let methods: Set<HTTPRequest.Method> = [.get, .head, .post, .put, .patch, .delete, .options]
    /// Label of unknown routes and methods.
    private static let none = "-"

    /// - Parameters:
    ///   - methods: methods that the router's routes answer, by the pattern of the route.
    ///   - paths: paths of the routes that are answered before the router, by number.
    init(_ registry: MetricRegistry, routes methods: [String: Set<HTTPRequest.Method>], immediate paths: [String]) {
        let routes = Dictionary(uniqueKeysWithValues: methods.map { ($0, Route(registry, $0, $1)) })
        self.routes = routes
        let unmatched = Route(registry, Self.none, Self.methods)
        self.unmatched = unmatched
        immediate = paths.map { (routes[$0] ?? unmatched)[.get] }
        inFlight = registry.gauge(MetricFamily.requestsInFlight)
    }

    /// The series of a request that the router answered; `route` is `nil` where no route matched.
    func series(_ method: HTTPRequest.Method, _ route: String?) -> RequestSeries {
        (route.flatMap { routes[$0] } ?? unmatched)[method]
    }

    /// The series of a request that was answered before the router.
    func series(immediate number: Int) -> RequestSeries { immediate[number] }

    func began() { inFlight?.increment(by: 1) }
    func ended() { inFlight?.decrement(by: 1) }
}
