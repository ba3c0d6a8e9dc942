import RESTAuth

/// A room with routes.
protocol RoutedRoom: Room {
    static func routes(of auth: Auth, _ configuration: AuthRoutesConfiguration) -> [RouteGroup]
}

/// Routes that are added, or left out, together.
struct RouteGroup: Sendable {
    let name: AuthRoutes
    let routes: [Route]

    init(_ name: AuthRoutes, _ routes: [Route]) {
        self.name = name
        self.routes = routes
    }
}
