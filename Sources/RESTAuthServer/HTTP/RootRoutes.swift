import Foundation
import HTTPTypes
import Hummingbird
import RESTAuth
import RESTAuthHummingbird

/// `GET /` and `OPTIONS /`: links for people, and an answer for load balancers that can probe no
/// other path.
struct RootRoutes {
    /// The path of the public URL, without a slash at the end: the prefix that a proxy removes.
    private let prefix: String

    init(publicURL: String?) {
        let path = publicURL.flatMap { URLComponents(string: $0)?.path } ?? ""
        prefix = WireText(path).trimmingEnd("/").string
    }

    var routes: [Route] {
        let directory = directory
        return [
            Route(.get, "/", .anyone, "showRoot") { _, _ in directory },
            Route(.options, "/", .anyone, "showRootByOptions") { _, _ in directory },
        ]
    }

    private var directory: Response {
        let links: JSON = [
            "service": "rest-auth", "description": .string("\(prefix)/openapi.yaml"),
            "health": .string("\(prefix)/health/ready"),
            "metadata": .string("\(prefix)/.well-known/oauth-authorization-server"),
        ]
        return Response(
            status: .ok,
            headers: [
                .contentType: "application/json", .allow: RouteTable.allowed([.get]), .xContentTypeOptions: "nosniff",
            ],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: links.bytes)))
    }
}
