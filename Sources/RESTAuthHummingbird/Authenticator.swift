import Foundation
public import Hummingbird
public import RESTAuth

/// Which credentials a route takes.
public struct AcceptedCredentials: OptionSet, Sendable {
    /// A bit for each.
    public let rawValue: Int
    public init(rawValue: Int) { self.rawValue = rawValue }

    /// A user name and password by HTTP Basic.
    public static let password = AcceptedCredentials(rawValue: 1)
    /// An access token, as Bearer or as the user name of HTTP Basic.
    public static let token = AcceptedCredentials(rawValue: 2)
    /// Either.
    public static let any: AcceptedCredentials = [.password, .token]
}

/// Protects the routes after it: reads the `Authorization` field, asks the door, and puts the
/// identity into the context.
///
///     router.group("notes")
///         .add(middleware: auth.authenticator())
///         .group(context: SignedInContext<AppContext>.self)
///         .get { _, context in "Hello, \(context.identity.username)!" }
public struct Authenticator<Context: AuthRequestContext>: RouterMiddleware {
    /// Answers a refusal in the adopter's own words, or throws what others turn into an answer. A
    /// 401 without a challenge is given one.
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
                request.headers, accepting: accepted, requiring: requirements, at: now, by: context.caller(request))
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
        // Of a role that is missing, Bearer has something to say (RFC 6750 section 3.1).
        if response.status == .forbidden, !response.headers.contains(.wwwAuthenticate) {
            response.headers.append(contentsOf: problem.headers)
        }
        return response
    }

    /// What is answered, or thrown by what knows its answer, with a challenge where it is a 401.
    private static func challenging(
        _ request: Request, _ context: Context, for error: AuthError = .credentialsRequired,
        _ answer: () async throws -> Response
    ) async throws -> Response {
        do {
            return try await answer().challenging(for: error, to: request)
        } catch let thrown as any HTTPResponseError where thrown.status == .unauthorized {
            // Whoever stands around this goes on to see what was thrown, where it can be told of a
            // challenge. These two are answered with one anyway.
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
    /// A middleware that protects the routes after it.
    /// - Parameters:
    ///   - accepted: which credentials are taken; others are refused with 401.
    ///   - requirements: what must hold of whoever comes, all of them; none asks for no more than
    ///     to be signed in. `Requirement.optional` lets a request without credentials through, with
    ///     no identity in its context.
    ///   - context: the context of the routes after it.
    ///   - refusal: answers a refusal in place of the problem document.
    public func authenticator<Context: AuthRequestContext>(
        accepting accepted: AcceptedCredentials = .any, requiring requirements: [Requirement] = [.signedIn],
        context: Context.Type = Context.self, refusal: Authenticator<Context>.Refusal? = nil
    ) -> Authenticator<Context> {
        Authenticator(
            verifier: login, accepted: accepted, requirements: requirements, now: configuration.now, refusal: refusal)
    }

    /// Who makes this request; `nil` when it carries no credentials.
    /// - Parameters:
    ///   - request: with or without an `Authorization` field.
    ///   - accepted: which credentials are taken.
    ///   - caller: who makes the request: wrong passwords are counted by the caller's network.
    /// - Throws: `invalid_request`, `invalid_credentials`, `invalid_token`, `credentials_required`
    ///   when the credentials are of a kind that is not accepted here, `rate_limited`,
    ///   `overloaded`.
    public func authenticate(
        _ request: Request, accepting accepted: AcceptedCredentials = .any, by caller: Caller = .application
    ) async throws -> Identity? {
        try await login.admit(
            request.headers, accepting: accepted, requiring: [.optional], at: configuration.now, by: caller)
    }
}

extension CredentialVerifier {
    /// A middleware that protects the routes after it, by whatever this verifier knows; as `Auth`
    /// has one. To require nothing asks for who is signed in.
    public func authenticator<Context: AuthRequestContext>(
        accepting accepted: AcceptedCredentials = .any, requiring requirements: [Requirement] = [.signedIn],
        context: Context.Type = Context.self, refusal: Authenticator<Context>.Refusal? = nil
    ) -> Authenticator<Context> {
        Authenticator(verifier: self, accepted: accepted, requirements: requirements, now: { Date() }, refusal: refusal)
    }
}
