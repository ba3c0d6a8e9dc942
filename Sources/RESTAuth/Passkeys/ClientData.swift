/// The client data of an answer: the ceremony, the challenge and the page that a browser or an app
/// says it signed for (WebAuthn Level 3 section 5.8.1).
package struct ClientData: Sendable {
    package let type: String
    package let challenge: [UInt8]
    package let origin: String
    package let isCrossOrigin: Bool
    /// Origin of the outermost page, when this one is in a frame; `nil` when the client does not
    /// say.
    package let topOrigin: String?

    /// Longest client data in bytes.
    package static let maximumLength = 4_096

    /// Reads the JSON text; `nil` if a member is there twice, is missing or is of another type.
    /// Other members may come along, as section 5.8.1.3 foresees.
    package init?(_ bytes: [UInt8]) {
        guard bytes.count <= Self.maximumLength, let json = JSON(text: bytes),
            let type = json["type"]?.string, let origin = json["origin"]?.string,
            let challenge = json["challenge"]?.string.flatMap({ Base64.url.decode($0.utf8) })
        else { return nil }
        switch json["crossOrigin"] {
        case nil: isCrossOrigin = false
        case .bool(let value): isCrossOrigin = value
        default: return nil
        }
        switch json["topOrigin"] {
        case nil: topOrigin = nil
        case .string(let value): topOrigin = value
        default: return nil
        }
        self.type = type
        self.challenge = challenge
        self.origin = origin
    }
}
