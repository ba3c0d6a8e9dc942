/// Untrusted text in quotes, for a terminal: control characters and direction marks are escaped,
/// and a long text is cut off.
package struct QuotedText: CustomStringConvertible, Sendable {
    /// Longest text in code points.
    private static let maximumLength = 80

    package let description: String

    package init(_ text: String) {
        var shown = ""
        for (index, scalar) in text.unicodeScalars.enumerated() {
            guard index < Self.maximumLength else {
                shown += "…"
                break
            }
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned:
                shown += "\\u{\(String(scalar.value, radix: 16))}"
            default: shown.unicodeScalars.append(scalar)
            }
        }
        description = "\"\(shown)\""
    }
}
