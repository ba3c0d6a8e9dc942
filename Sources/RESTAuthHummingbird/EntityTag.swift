import HTTPTypes

/// A validator that tells one state of a resource from another (RFC 9110 section 8.8.3). It is
/// weak, because all content codings of a state share it.
struct EntityTag: Sendable {
    /// The value of the field `ETag`.
    let text: String

    /// - Parameter opaque: the text between the quotes, ASCII without quotes.
    init(_ opaque: String) {
        text = "W/\"\(opaque)\""
    }

    /// Whether the client has this state already (`If-None-Match`, RFC 9110 section 13.1.2).
    func isKnown(by fields: HTTPFields) -> Bool {
        let tag = text.utf8.dropFirst(2)
        return fields[values: .ifNoneMatch].contains { value in
            value.utf8.split(separator: UInt8(ascii: ",")).contains { member in
                let member = member.trimmingBlanks
                return member.elementsEqual("*".utf8) || member.elementsEqual(tag)
                    || member.starts(with: "W/".utf8) && member.dropFirst(2).elementsEqual(tag)
            }
        }
    }
}
