import HTTPTypes
import Hummingbird
import RESTAuthHummingbird

/// `GET /openapi.yaml`: the description of the HTTP API, embedded in the binary.
struct DescriptionRoutes {
    var routes: [Route] {
        [Route(.get, "/openapi.yaml", .everyPage, "showDescription") { _, _ in Self.description }]
    }

    private static let description = Response(
        status: .ok,
        headers: [
            .contentType: "application/yaml", .cacheControl: "public, max-age=300", .xContentTypeOptions: "nosniff",
        ],
        body: ResponseBody(byteBuffer: ByteBuffer(bytes: PackageResources.openapi_yaml)))
}
