/// Every setting of a verifier, its default, and why that default is safe.
public struct VerifierConfiguration: Sendable {
    /// The `iss` that a token must have. `nil` takes the server's URL, which is what a server with
    /// `public_url` writes.
    public var issuer: String?

    /// The audiences of which `aud` must name one: the server's `token_audience` for this service.
    /// `nil` takes the issuer, which is what a server without that setting writes. While the
    /// setting changes there, name both.
    public var audiences: [String]?

    /// The id and secret of a client of the server: where it shows its list of revocations to
    /// clients only, and to take tokens for programs, which only the server can verify. `nil`
    /// refuses those.
    public var client: (id: String, secret: String)?

    /// The interval between two requests for new revocations.
    public var revocationInterval: Duration = .seconds(1)

    /// The greatest age of the list. Beyond it, every token is answered with `storage_unavailable`,
    /// because it may have been revoked.
    ///
    /// This is also the longest time for which an ended session can go on here, even when the
    /// server or the network between fails.
    public var bound: Duration = .seconds(5)

    /// The interval between two requests for the keys. The server publishes a key an hour before it
    /// signs with it.
    public var keyInterval: Duration = .seconds(300)

    /// The number of verified tokens that are remembered. One takes about 300 bytes.
    public var verifiedTokenCapacity = 100_000

    /// Whether a server on another machine may be asked without TLS. An attacker who can change its
    /// answers can sign in as any user.
    public var allowsPlaintext = false

    public init() {}
}
