import HTTPTypes
import Hummingbird
import RESTAuth
import RESTAuthHummingbird

/// `GET /api/operator/settings`: the settings in force, which only the server knows.
struct SettingsRoutes {
    let auth: Auth
    /// An object for each setting.
    let settings: [JSON]

    var routes: [Route] {
        let body = ByteBuffer(bytes: JSON.object([JSON.Member(name: "data", value: .array(settings))]).bytes)
        return [
            Route(.get, "/api/operator/settings", .operator(auth, changing: false), "showSettings") { _, _ in
                Response(
                    status: .ok, headers: [.contentType: "application/json", .xContentTypeOptions: "nosniff"],
                    body: ResponseBody(byteBuffer: body))
            }
        ]
    }
}
