import HTTPTypes
import Hummingbird
import RESTAuth
import RESTAuthHummingbird

/// `GET /` and `OPTIONS /`: where to look, for people, and for load balancers that can ask for
/// nothing else whether the process lives.
struct RootRoute {
    func add(to routes: some RouterMethods<some RequestContext>) {
        routes.resource("", [.get: { _, _ in Self.directory }, .options: { _, _ in Self.directory }])
    }

    private static let directory = Response(
        status: .ok,
        headers: [
            .contentType: "application/json", .allow: "GET, HEAD, OPTIONS", .xContentTypeOptions: "nosniff",
        ],
        body: ResponseBody(byteBuffer: ByteBuffer(bytes: links.bytes)))

    private static let links: JSON = [
        "service": "rest-auth", "description": "/openapi.yaml", "health": "/health/ready",
        "metadata": "/.well-known/oauth-authorization-server",
    ]
}
