import Hummingbird
import RESTAuth
import RESTAuthHummingbird
import RESTAuthSQLite

/// A notebook for everyone who registers: the smallest application with users of its own.
@main
struct Notes {
    static func main() async throws {
        try await application(Auth(storage: SQLiteStorage(path: "notes.sqlite"))).runService()
    }

    static func application(_ auth: Auth) -> some ApplicationProtocol {
        let router = Router(context: BasicAuthRequestContext.self)
        router.add(middleware: ProblemResponses())
        auth.addRoutes(to: router, leavingOut: [.resource])
        let book = NoteBook()
        router.group("notes").add(middleware: auth.authenticator())
            .group(context: SignedInContext<BasicAuthRequestContext>.self)
            .get { _, context in await book.notes(of: context.identity.userID) }
            .post { request, context -> HTTPResponse.Status in
                await book.add(
                    try await request.decode(as: String.self, context: context), for: context.identity.userID)
                return .created
            }
        // Burning the book takes a second factor of the last 15 minutes.
        router.group("notes").add(middleware: auth.authenticator(requiring: [.secondFactor(within: 900)]))
            .group(context: SignedInContext<BasicAuthRequestContext>.self)
            .delete { _, context -> HTTPResponse.Status in
                await book.burn(of: context.identity.userID)
                return .noContent
            }
        return Application(router: router, services: auth.services)
    }
}

actor NoteBook {
    private var pages: [User.ID: [String]] = [:]

    func notes(of user: User.ID) -> [String] { pages[user, default: []] }

    func add(_ note: String, for user: User.ID) { pages[user, default: []].append(note) }

    func burn(of user: User.ID) { pages[user] = nil }
}
