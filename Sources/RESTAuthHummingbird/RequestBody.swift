import HTTPTypes
import Hummingbird
import NIOCore
import RESTAuth

/// Reads the JSON object or the form of a request, strictly and within a limit.
struct RequestBody: Sendable {
    /// The largest body that is read, in bytes.
    let limit: Int

    /// The fields of a body that is one JSON object.
    /// - Parameter known: the names of the fields that the route understands.
    /// - Throws: 415 for another media type or a content coding, 413 over the limit, 400 for a body
    ///   that has not come whole or is not one JSON object.
    func fields(_ request: Request, known: [StaticString]) async throws -> RequestFields {
        try checkType(request)
        return RequestFields(try parse(await collect(request)), known: known)
    }

    /// A body that is a JSON merge patch of an object (RFC 7396). It may say that it is JSON, but
    /// no other kind of it: another kind of patch means something else.
    /// - Throws: what ``fields(_:known:)`` throws.
    func mergePatch(_ request: Request) async throws -> JSON {
        let type = request.headers[.contentType].map { Self.mediaType($0).lowercased }
        guard type.map({ $0.equals("application/merge-patch+json") || $0.equals("application/json") }) ?? true else {
            throw Problem(
                .unsupportedMediaType, code: "unsupported_media_type",
                detail: "Send the changes as application/merge-patch+json.",
                headers: [.accept: "application/merge-patch+json, application/json"])
        }
        try checkType(request)
        return try parse(await collect(request))
    }

    /// The same for a body that may be left out: then there are no fields.
    ///
    /// Only reading tells whether there is a body: HTTP/2 has no field that must announce one.
    func fieldsIfPresent(_ request: Request, known: [StaticString]) async throws -> RequestFields {
        let bytes = try await collect(request)
        guard !bytes.isEmpty else { return RequestFields([:], known: known) }
        try checkType(request)
        return RequestFields(try parse(bytes), known: known)
    }

    private func checkType(_ request: Request) throws {
        guard Self.isJSON(request.headers[.contentType]) else {
            throw Problem(
                .unsupportedMediaType, code: "unsupported_media_type", detail: "Send the fields as application/json.",
                headers: [.accept: "application/json"])
        }
        guard request.headers[.contentEncoding] == nil else {
            throw Problem(
                .unsupportedMediaType, code: "unsupported_media_type",
                detail: "Send the body without a content coding.",
                headers: [.acceptEncoding: "identity"])
        }
    }

    private func parse(_ bytes: [UInt8]) throws -> JSON {
        guard let json = JSON(text: bytes), case .object = json else {
            throw Problem(
                .badRequest, code: "invalid_json",
                detail: bytes.isEmpty
                    ? "missing argument: the body is empty"
                    : """
                    The body is not a JSON object, or has a duplicate name, an incomplete character, too large a \
                    number, or too deep nesting.
                    """)
        }
        return json
    }

    /// The fields of a form (RFC 6749 appendix B).
    /// - Throws: 415, 413, 400 for a body that has not come whole; `invalid_request` for one that
    ///   is no form or has a field twice.
    func form(_ request: Request) async throws -> FormBody {
        guard request.headers[.contentType].map(Self.mediaType)?.isWord(FormBody.mediaType) == true,
            request.headers[.contentEncoding] == nil
        else {
            throw Problem(
                .unsupportedMediaType, code: "unsupported_media_type",
                detail: "Send the fields as \(FormBody.mediaType).",
                headers: [.accept: "\(FormBody.mediaType)"])
        }
        guard let form = FormBody(try await collect(request)) else {
            throw AuthError(.invalidRequest, "The body is no form, or has a field twice.")
        }
        return form
    }

    private func collect(_ request: Request) async throws -> [UInt8] {
        let tooLarge = Problem(
            .contentTooLarge, code: "content_too_large", detail: "The body is larger than \(limit) bytes.",
            headers: [.connection: "close"])
        let announced = request.headers[.contentLength].map { WireText($0).decimalNumber ?? .max } ?? 0
        guard announced <= limit else { throw tooLarge }
        do {
            let bytes = Array(buffer: try await request.body.collect(upTo: limit))
            // The stream can end before the announced length has come.
            guard bytes.count >= announced else { throw Self.incomplete }
            return bytes
        } catch is NIOTooManyBytesError {
            throw tooLarge
        }
    }

    private static let incomplete = Problem(
        .badRequest, code: "bad_request", detail: "The body is shorter than its Content-Length says.",
        headers: [.connection: "close"])

    /// The media type without its parameters.
    private static func mediaType(_ contentType: String) -> WireText {
        WireText(contentType).before(";").trimmed
    }

    /// Whether the body is taken for JSON. One without a type is, as careless clients of the
    /// original Flask server expect.
    private static func isJSON(_ contentType: String?) -> Bool {
        guard let type = contentType.map({ mediaType($0).lowercased }) else { return true }
        return type.equals("application/json")
            || type.ends(with: "+json") && type.after("application/")?.isToken == true
    }
}
