/// Every setting of a verifier, its default, and why that default is safe.
public struct VerifierConfiguration: Sendable {
    /// `iss` that a token must have. `nil` takes the server's URL, which is what a server with
    /// `public_url` writes.
    public var issuer: String?

    /// Of which `aud` must name one: what the server's `token_audience` says of this service. `nil`
    /// takes the issuer, which is what a server without that setting writes. While it changes
    /// there, name both.
    public var audiences: [String]?

    /// The id and secret of a client of the server, where it shows its list of revocations to
    /// clients only.
    public var client: (id: String, secret: String)?

    /// How often the list of revocations is asked for: for its new lines only, so mostly for none.
    public var revocationInterval: Duration = .seconds(1)

    /// How old the list may be. Beyond, every token is answered `storage_unavailable`: nobody knows
    /// whether it was revoked.
    ///
    /// So this is the longest that a session which was ended can go on here, also when the server
    /// or the network between fails.
    public var bound: Duration = .seconds(5)

    /// How often the keys are asked for. The server publishes a key an hour before it signs.
    public var keyInterval: Duration = .seconds(300)

    /// How many verified tokens are remembered. One takes about 300 bytes.
    public var verifiedTokenCapacity = 100_000

    /// Whether the server may be asked in the clear on another machine. Whoever can change what
    /// comes back can sign in as anyone.
    public var allowsPlaintext = false

    public init() {}
}
