import HTTPTypes
import RESTAuth

extension HTTPRequest {
    /// The announced size of the body in bytes; 0 where the length is not known before the end.
    var announcedSize: Int64 { headerFields[.contentLength].map { WireText($0).decimalNumber ?? .max } ?? 0 }
}

extension HTTPFields {
    /// Whether the connection is to end with this message (RFC 9112 section 9.6).
    var closeConnection: Bool { self[.connection].map { WireText($0).equals("close") } ?? false }
}
