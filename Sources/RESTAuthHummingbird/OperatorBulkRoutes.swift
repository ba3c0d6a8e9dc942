import Foundation
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import PasswordHashing
import RESTAuth
import Synchronization

extension ImportRoom: RoutedRoom {
    static func routes(of auth: Auth, _ configuration: AuthRoutesConfiguration) -> [RouteGroup] {
        [RouteGroup(.operator, OperatorBulkRoutes(auth: auth).routes)]
    }
}

/// `POST /api/operator/users/import` and `GET /api/operator/users/export`: all users at once, a
/// JSON object a line, in a stream of any length.
struct OperatorBulkRoutes: Sendable {
    let auth: Auth
    private let gate = ImportGate()

    init(auth: Auth) { self.auth = auth }

    private static let mediaType = "application/x-ndjson"

    var routes: [Route] {
        [
            Route(.post, "/api/operator/users/import", .operator(auth, changing: true), "importUsers") {
                identity, request in try importUsers(identity, request)
            }.takingLongBody(),
            Route(.get, "/api/operator/users/export", .operator(auth, changing: false), "exportUsers") {
                identity, request in try await exportUsers(identity, request)
            },
        ]
    }

    private static func stream(
        _ write: @escaping @Sendable (inout any ResponseBodyWriter) async throws -> Void
    ) -> Response {
        Response(
            status: .ok, headers: [.contentType: mediaType, .xContentTypeOptions: "nosniff"],
            body: ResponseBody { writer in
                try await write(&writer)
                try await writer.finish(nil)
            }
        ).notStored()
    }

    // MARK: Import

    private func importUsers(_ identity: Identity, _ request: RoutedRequest) throws -> Response {
        let query = try Query(
            request.http, known: ["dry_run", "without_password", "renumber", "accept_weak_hashes"])
        var concessions: UserImport.Concessions = []
        if try query.flag("without_password") { concessions.insert(.withoutPassword) }
        if try query.flag("renumber") { concessions.insert(.renumbering) }
        let configuration = auth.configuration
        let intake = HashIntake(
            limit: configuration.passwordHashLimit, acceptsWeak: try query.flag("accept_weak_hashes"),
            cost: configuration.passwordCost)
        let users = UserImport(
            into: auth.storage, hashes: intake, configuration: configuration, by: request.caller)
        let importing = StreamedImport(users, allowing: concessions, isTrial: try query.flag("dry_run"))
        try Self.checkType(of: request.http)
        guard let turn = gate.enter() else {
            throw Problem(
                .tooManyRequests, code: "import_running", title: "An import is running",
                detail: "This server is importing users already: wait until that is done.",
                headers: [.retryAfter: "10"])
        }
        let body = LongBody.current
        body?.admit()
        let login = auth.login
        let answer = ImportAnswer(importing: importing, request: request.http, body: body) {
            try await login.requireStanding(of: identity, in: Role.operator)
        }
        return Self.stream { writer in
            defer { withExtendedLifetime(turn) {} }
            try await answer.write(to: &writer)
        }
    }

    private static func checkType(of request: Request) throws {
        let type = request.headers[.contentType].map { WireText($0).before(";").trimmed }
        guard type?.isWord("application/x-ndjson") == true || type?.isWord("application/jsonl") == true else {
            throw Problem(
                .unsupportedMediaType, code: "unsupported_media_type",
                detail: "Send the users as \(mediaType), a JSON object a line.", headers: [.accept: mediaType])
        }
        guard request.headers[.contentEncoding] == nil else {
            throw Problem(
                .unsupportedMediaType, code: "unsupported_media_type",
                detail: "Send the body without a content coding.", headers: [.acceptEncoding: "identity"])
        }
    }

    // MARK: Export

    private func exportUsers(_ identity: Identity, _ request: RoutedRequest) async throws -> Response {
        let hasHashes = try Query(request.http, known: ["include_password_hashes"]).flag("include_password_hashes")
        // With the hashes the text is as secret as the database: more is asked of who takes it.
        if hasHashes {
            _ = try await Access.operator(auth, changing: true).admit(request)
            guard identity.user != nil else {
                throw AuthError(.forbidden, "hashes of passwords are for operators who sign in, not for programs")
            }
        }
        let (auth, caller) = (auth, request.caller)
        return Self.stream { writer in
            let users = UserExport(from: auth.storage, by: caller)
            try await users.run(includingPasswordHashes: hasHashes) { lines in
                try await auth.login.requireStanding(of: identity, in: Role.operator)
                try await writer.write(ByteBuffer(bytes: lines))
            }
        }
    }
}

/// Admits one import at a time.
private final class ImportGate: Sendable {
    private let isTaken = Atomic(false)

    /// The right to import, which ends with the object: also when its answer is never written.
    final class Turn: Sendable {
        private let gate: ImportGate

        fileprivate init(_ gate: ImportGate) { self.gate = gate }

        deinit { gate.isTaken.store(false, ordering: .releasing) }
    }

    /// - Returns: `nil` while another import is running.
    func enter() -> Turn? {
        isTaken.compareExchange(expected: false, desired: true, ordering: .acquiringAndReleasing).exchanged
            ? Turn(self) : nil
    }
}
