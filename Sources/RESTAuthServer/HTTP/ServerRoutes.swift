package import HTTPTypes
package import RESTAuth
package import RESTAuthHummingbird

/// Every route of the server: the source of its router, of the answers before it, and of the test
/// that checks `openapi.yaml`.
package struct ServerRoutes: Sendable {
    package let tables: [RouteTable]

    /// - Parameters:
    ///   - auth: the core.
    ///   - configuration: the configuration of the routes.
    ///   - settings: an object for each setting in force.
    package init(_ auth: Auth, configuration: AuthRoutesConfiguration, settings: [JSON] = []) {
        tables = [
            auth.routeTable(configuration: configuration), auth.healthRouteTable,
            RouteTable(SettingsRoutes(auth: auth, settings: settings).routes, refusingOtherSites: configuration),
            RouteTable(RootRoutes(publicURL: configuration.publicURL).routes + DescriptionRoutes().routes),
        ]
    }

    package var all: [Route] { tables.flatMap(\.routes) }

    /// The methods that each path answers otherwise than with 405, by the path as the router
    /// describes it.
    package var methods: [String: Set<HTTPRequest.Method>] {
        tables.reduce(into: [:]) { $0.merge($1.methods) { $0.union($1) } }
    }
}
