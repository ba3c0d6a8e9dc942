import Hummingbird
import Logging

/// The ceiling of the token route: one route of Hummingbird's router that answers, from memory, the
/// very bytes that rest-auth answers after it has checked a token. Whatever rest-auth loses against
/// it is the price of the checking.
@main
struct BareHummingbird {
    static func main() async throws {
        guard CommandLine.arguments.count == 2, let port = Int(CommandLine.arguments[1]) else {
            fatalError("usage: bare-hummingbird PORT")
        }
        let greeting = ByteBuffer(string: #"{"data":"Hello, miguel!"}"#)
        let router = Router()
        router.get("api/resource") { _, _ in
            Response(
                status: .ok, headers: [.contentType: "application/json"],
                body: ResponseBody(byteBuffer: greeting))
        }
        var logger = Logger(label: "bare-hummingbird")
        logger.logLevel = .error
        let application = Application(
            router: router,
            configuration: .init(address: .hostname("127.0.0.1", port: port)),
            logger: logger)
        try await application.runService()
    }
}
