import Foundation
public import Hummingbird
public import RESTAuth

/// The kinds of credentials that a route takes.
public struct AcceptedCredentials: OptionSet, Sendable {
    /// One bit for each kind.
    public let rawValue: Int
    public init(rawValue: Int) { self.rawValue = rawValue }

    /// A user name and password by HTTP Basic.
    public static let password = AcceptedCredentials(rawValue: 1)
    /// An access token or a token for programs, as Bearer or as the user name of HTTP Basic.
    public static let token = AcceptedCredentials(rawValue: 2)
    /// Both kinds.
    public static let any: AcceptedCredentials = [.password, .token]
}

/// Protects the routes after it: reads the `Authorization` field, checks the credentials, and puts
/// the identity into the context.
///
/// A request with a parameter `access_token` in its query is refused with 400 `invalid_request`,
/// whether or not it has that field, since a token does not belong into a URL (RFC 6750 section 2).
///
///     router.group("notes")
///         .add(middleware: auth.authenticator())
///         .group(context: SignedInContext<AppContext>.self)
///         .get { _, context in "Hello, \(context.identity.username)!" }
public struct Authenticator<Context: AuthRequestContext>: RouterMiddleware {
    /// Answers a refusal in the application's own form, or throws an error that becomes an answer.
    /// A 401 without a challenge is given one.
    public typealias Refusal = @Sendable (AuthError, Request, Context) async throws -> Response

    let verifier: any CredentialVerifier
    let accepted: AcceptedCredentials
    let requirements: [Requirement]
    let now: @Sendable () -> Date
    let refusal: Refusal?

    init(
        verifier: any CredentialVerifier, accepted: AcceptedCredentials, requirements: [Requirement],
        now: @escaping @Sendable () -> Date, refusal: Refusal?
    ) {
        self.verifier = verifier
        self.accepted = accepted
        self.requirements = requirements
        self.now = now
        self.refusal = refusal
    }

    public func handle(
        _ request: Request, context: Context, next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        var context = context
        do {
            context.identity = try await verifier.admit(
                request.head, accepting: accepted, requiring: requirements, at: now, by: context.caller(request))
        } catch let error as AuthError {
            return try await refuse(error, request, context)
        }
        return try await Self.challenging(request, context) { try await next(request, context) }
    }

    private func refuse(_ error: AuthError, _ request: Request, _ context: Context) async throws -> Response {
        let problem = Problem(error, request: request)
        guard let refusal else { return problem.response(from: request, context: context) }
        var response = try await Self.challenging(request, context, for: error) {
            try await refusal(error, request, context)
        }
        // A Bearer challenge also tells of a missing role (RFC 6750 section 3.1).
        if response.status == .forbidden, !response.headers.contains(.wwwAuthenticate) {
            response.headers.append(contentsOf: problem.headers)
        }
        return response
    }

    /// Runs `answer`, and adds a challenge to a 401 that it returns or throws.
    private static func challenging(
        _ request: Request, _ context: Context, for error: AuthError = .credentialsRequired,
        _ answer: () async throws -> Response
    ) async throws -> Response {
        do {
            return try await answer().challenging(for: error, to: request)
        } catch let thrown as any HTTPResponseError where thrown.status == .unauthorized {
            // An error that can carry a challenge is thrown on, so that outer middlewares see it.
            // These two are answered with a challenge anyway.
            if thrown is Problem || thrown is AuthError { throw thrown }
            guard var known = thrown as? HTTPError else {
                return try thrown.response(from: request, context: context).challenging(for: error, to: request)
            }
            known.headers.addMissingChallenge(for: error, to: request)
            throw known
        }
    }
}

extension Response {
    fileprivate func challenging(for error: AuthError, to request: Request) -> Response {
        guard status == .unauthorized else { return self }
        var response = self
        response.headers.addMissingChallenge(for: error, to: request)
        return response
    }
}

extension Auth {
    /// Makes a middleware that protects the routes after it.
    /// - Parameters:
    ///   - accepted: the kinds of credentials that are taken; others are refused with 401.
    ///   - requirements: all must hold; an empty list requires a signed-in user.
    ///     `Requirement.optional` lets a request without credentials through, with no identity in
    ///     its context.
    ///   - context: the context of the routes after it.
    ///   - refusal: answers a refusal in place of the problem document.
    public func authenticator<Context: AuthRequestContext>(
        accepting accepted: AcceptedCredentials = .any, requiring requirements: [Requirement] = [.signedIn],
        context: Context.Type = Context.self, refusal: Authenticator<Context>.Refusal? = nil
    ) -> Authenticator<Context> {
        Authenticator(
            verifier: login, accepted: accepted, requirements: requirements, now: configuration.now, refusal: refusal)
    }

    /// Identifies the maker of a request.
    /// - Parameters:
    ///   - request: with or without an `Authorization` field.
    ///   - accepted: the kinds of credentials that are taken.
    ///   - scope: the word by which a token for programs is admitted; `nil` admits none, and no
    ///     service account.
    ///   - caller: the origin of the request; wrong passwords are counted by its network.
    /// - Returns: the identity; `nil` when the request carries no credentials.
    /// - Throws: `invalid_request`, also for a parameter `access_token` in the query;
    ///   `invalid_credentials`, `invalid_token`, `credentials_required` when the credentials are of
    ///   a kind that is not accepted here, `insufficient_scope`, `forbidden`, `mfa_required`,
    ///   `rate_limited`, `overloaded`.
    public func authenticate(
        _ request: Request, accepting accepted: AcceptedCredentials = .any, scope: String? = nil,
        by caller: Caller = .application
    ) async throws -> Identity? {
        let identity = try await login.admit(
            request.head, accepting: accepted, requiring: [.optional], admittingPrograms: scope != nil,
            at: configuration.now, by: caller)
        if let scope, let identity { try Requirement.scope(scope).check(identity, at: configuration.now()) }
        return identity
    }
}

extension CredentialVerifier {
    /// Makes a middleware that protects the routes after it as that of `Auth` does, with this
    /// verifier. An empty list of requirements requires a signed-in user.
    public func authenticator<Context: AuthRequestContext>(
        accepting accepted: AcceptedCredentials = .any, requiring requirements: [Requirement] = [.signedIn],
        context: Context.Type = Context.self, refusal: Authenticator<Context>.Refusal? = nil
    ) -> Authenticator<Context> {
        Authenticator(verifier: self, accepted: accepted, requirements: requirements, now: { Date() }, refusal: refusal)
    }
}
