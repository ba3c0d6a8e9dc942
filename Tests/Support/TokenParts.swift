import Foundation

/// The members of a part of a token: part 0 is the header, part 1 the claims.
public func members(of token: String, _ part: Int) -> [String: Any] {
    var text = token.split(separator: ".").dropFirst(part).first.map(String.init) ?? ""
    text = text.replacing("-", with: "+").replacing("_", with: "/")
    text += String(repeating: "=", count: (4 - text.count % 4) % 4)
    return Data(base64Encoded: text).flatMap { try? JSONSerialization.jsonObject(with: $0) as? [String: Any] } ?? [:]
}
