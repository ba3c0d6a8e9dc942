import Foundation
import HTTPTypes
import Hummingbird
import RESTAuth

/// Requests about tokens for programs, and the answers: the same for users and service accounts.
struct ProgramTokenAnswers: Sendable {
    let auth: Auth
    let configuration: AuthRoutesConfiguration

    private var body: RequestBody { RequestBody(limit: configuration.bodyLimit) }

    func list(_ tokens: [StoredProgramToken]) -> Response {
        let now = auth.configuration.now()
        return Response.json(["tokens": .array(tokens.map { $0.json(at: now) })]).notStored()
    }

    /// Answers with the token of that id.
    /// - Throws: `token_not_found`.
    func show(_ id: ProgramToken.ID, among tokens: [StoredProgramToken]) throws -> Response {
        guard let token = tokens.first(where: { $0.id == id }) else {
            throw AuthError(.tokenNotFound, "there is no such token")
        }
        return Response.json(token.json(at: auth.configuration.now())).notStored()
    }

    /// Reads what a new token is to be, makes it, and answers with it.
    func create(
        _ request: RoutedRequest,
        _ make: (
            _ name: String, _ scopes: [String], _ lifetime: ProgramToken.Lifetime
        ) async throws -> NewProgramToken
    ) async throws -> Response {
        let location = try RequestOrigin(request.http, configuration: configuration)
        let fields = try await body.fields(request.http, known: ["name", "scopes", "expires_in"])
        return try await fields.named(in: request.http) {
            let new = try await make(
                fields.requiredString("name"), fields.requiredStrings("scopes"), fields.lifetime("expires_in"))
            return answer(
                new, [], at: location.url(of: "\(request.http.uri.path.trimmingSlashes)/\(new.token.id)"))
        }
    }

    /// Reads how long the token before lives on, rotates it, and answers with the new one.
    func rotate(
        _ request: RoutedRequest, _ rotate: (_ overlap: Int?) async throws -> RotatedProgramToken
    ) async throws -> Response {
        let location = try RequestOrigin(request.http, configuration: configuration)
        let fields = try await body.fieldsIfPresent(request.http, known: ["overlap"])
        return try await fields.named(in: request.http) {
            let rotated = try await rotate(fields.optionalInteger("overlap"))
            let path = request.http.uri.path.trimmingSlashes.droppingSegments(2)
            return answer(
                rotated.new,
                [("previous_expires_at", .string(rotated.previousExpiresAt.ISO8601Format()))],
                at: location.url(of: "\(path)/\(rotated.new.token.id)"))
        }
    }

    private func answer(_ new: NewProgramToken, _ others: [(String, JSON)], at location: String) -> Response {
        let members = new.token.members(at: auth.configuration.now())
        let json = JSON.object([JSON.Member(name: "token", value: .string(new.value))] + members).adding(others)
        var response = Response.json(json, status: .created).notStored()
        response.headers[.location] = location
        return response
    }
}

extension RoutedRequest {
    /// The id of a token in the path.
    /// - Throws: `token_not_found` for what is no id.
    func tokenID(_ name: String) throws -> ProgramToken.ID {
        guard let id = ProgramToken.ID(try segment(name)) else {
            throw AuthError(.tokenNotFound, "there is no such token")
        }
        return id
    }
}

extension RequestFields {
    /// The value of a field that is a list of strings and must be there.
    /// - Throws: `validation_failed` when it is missing, `null` or of another type.
    fileprivate func requiredStrings(_ name: String) throws(AuthError) -> [String] {
        guard hasValue(name) else { throw missing(name) }
        guard let strings = strings(name) else {
            throw AuthError(.validationFailed, "\(name) must be a list of strings", field: name)
        }
        return strings
    }

    /// The lifetime in a field: seconds, or `never`.
    /// - Throws: `validation_failed` when it is of another type.
    fileprivate func lifetime(_ name: String) throws(AuthError) -> ProgramToken.Lifetime {
        if isWord(name, "never") { return .unlimited }
        do throws(AuthError) {
            return try optionalInteger(name).map { .seconds($0) } ?? .standard
        } catch {
            throw AuthError(error.code, "\(name) must be a whole number of seconds, or never", field: name)
        }
    }
}

extension String {
    /// The path without that many segments at its end.
    fileprivate func droppingSegments(_ count: Int) -> String {
        var rest = utf8[...]
        for _ in 0..<count {
            guard let slash = rest.lastIndex(of: UInt8(ascii: "/")) else { return "" }
            rest = rest[..<slash]
        }
        return String(Substring(rest))
    }
}
