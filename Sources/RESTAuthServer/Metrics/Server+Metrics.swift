import NIOCore
import RESTAuthHummingbird

extension Server {
    /// Registers the figures of connections, process and version, and returns the series of the
    /// router's routes.
    func requestMetrics(
        _ registry: MetricRegistry, _ routes: ServerRoutes, _ immediate: ImmediateRoutes,
        _ connections: ConnectionCount
    ) -> RequestMetrics {
        let process = ProcessReadings()
        registry.read { process.values() }
        registry.read { [(MetricFamily.connections, Double(connections.open))] }
        registry.gauge(MetricFamily.connectionLimit)?.set(Int64(connections.limit))
        registry.gauge(MetricFamily.buildInfo, [("version", RESTAuthCommand.version)])?.set(Int64(1))
        return RequestMetrics(registry, routes: routes.methods, immediate: immediate.paths)
    }

    /// The service of the metrics port, under the limits of client connections. A request has to
    /// arrive within seconds, because there are few connections.
    func metricsService(_ registry: MetricRegistry, _ sockets: ListeningSockets) throws -> MetricsService {
        let limits = ConnectionLifetime.Limits(
            idle: connectionLimits.idle, request: min(connectionLimits.request, .seconds(5)),
            shutdown: connectionLimits.shutdown)
        return MetricsService(
            registry: registry, descriptors: try sockets.listen(backlog: Int32(MetricsService.maxConnections)),
            limits: limits, headLimits: settings.headLimits, bodyLimit: settings.routes.bodyLimit)
    }
}
