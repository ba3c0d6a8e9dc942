import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import RESTAuth

/// The requests of a verifier to a server.
final class RemoteServer: Sendable {
    struct Page: Sendable {
        let lines: [Revocation]
        let last: Int64
        let isMore: Bool
    }

    /// The URL, without a slash at the end.
    let url: String
    /// The `Authorization` field of a client; `nil` for none.
    private let authorization: String?

    /// The largest body in bytes. A page of a thousand revocations has about 120 kB, a key less
    /// than one.
    private static let bodyLimit = 1 << 20
    private static let patience: TimeAmount = .seconds(2)

    init(_ url: String, client: (id: String, secret: String)? = nil, allowsPlaintext: Bool) throws(AuthError) {
        guard let parts = URLComponents(string: url), let host = parts.host, !host.isEmpty, parts.query == nil,
            parts.fragment == nil,
            parts.scheme == "https" || parts.scheme == "http"
        else { throw AuthError(.misconfigured, "\(url) is no URL such as https://auth.example.com") }
        guard parts.scheme == "https" || allowsPlaintext || Self.isLoopback(host) else {
            throw AuthError(
                .misconfigured, "\(url) is in the clear: use https, or allow plaintext inside a network that you trust")
        }
        self.url = url.hasSuffix("/") ? String(url.dropLast()) : url
        // The id and the secret of a client have no character that the form encoding of RFC 6749
        // section 2.3.1 would change.
        authorization = client.map { "Basic \(Data("\($0.id):\($0.secret)".utf8).base64EncodedString())" }
    }

    private static func isLoopback(_ host: String) -> Bool {
        host == "localhost" || host == "::1" || host == "[::1]" || host.wholeMatch(of: /127(\.[0-9]{1,3}){3}/) != nil
    }

    /// The published keys of the kinds that are supported here. Others are ignored.
    func keys() async throws -> [VerificationKey] {
        guard case .array(let published)? = try await get("/.well-known/jwks.json")["keys"] else {
            throw Self.unexpected
        }
        let keys = published.compactMap { VerificationKey(jwk: $0) }
        guard !keys.isEmpty else { throw Self.unexpected }
        return keys
    }

    func revocations(after number: Int64) async throws -> Page {
        let page = try await get("/api/revocations?since=\(number)")
        guard case .array(let elements)? = page["revocations"], let last = page["last"]?.integer,
            case .bool(let isMore)? = page["more"],
            case let lines = elements.compactMap(Revocation.init), lines.count == elements.count
        else { throw Self.unexpected }
        return Page(lines: lines, last: Int64(last), isMore: isMore && !lines.isEmpty)
    }

    /// The server's description of a token (RFC 7662).
    func introspection(of token: [UInt8]) async throws -> JSON {
        var request = HTTPClientRequest(url: url + "/oauth/introspect")
        request.method = .POST
        request.headers.add(name: "Content-Type", value: "application/x-www-form-urlencoded")
        // A token for programs has no character that the encoding of forms would change.
        request.body = .bytes(ByteBuffer(bytes: Array("token=".utf8) + token))
        return try await answer(to: request)
    }

    private func get(_ path: String) async throws -> JSON {
        try await answer(to: HTTPClientRequest(url: url + path))
    }

    private func answer(to request: HTTPClientRequest) async throws -> JSON {
        let response: HTTPClientResponse
        let body: ByteBuffer
        do {
            var request = request
            if let authorization { request.headers.add(name: "Authorization", value: authorization) }
            response = try await HTTPClient.shared.execute(request, timeout: Self.patience)
            body = try await response.body.collect(upTo: Self.bodyLimit)
        } catch {
            throw AuthError(.storageUnavailable, "the auth server does not answer", retryAfter: 1)
        }
        // An answer after a redirect is not used: it may be from another machine, without TLS.
        guard response.status.code == 200, response.history.count <= 1, let json = JSON(text: body.readableBytesView)
        else {
            throw Self.unexpected
        }
        return json
    }

    private static let unexpected = AuthError(
        .storageUnavailable, "the auth server's answer is not what a rest-auth server says")
}
