/// The line of a help text that says how a command is written, broken between its parts.
///
/// ArgumentParser breaks descriptions at the width of the terminal, and leaves this line as long as
/// it is.
package enum UsageLine {
    private static let width = 80

    /// The help text with that line broken, if it has one.
    package static func broken(in help: String) -> String {
        help.split(separator: "\n", omittingEmptySubsequences: false).map { line in
            ["USAGE: ", "Usage: "].contains { line.hasPrefix($0) } ? broken(line) : String(line)
        }.joined(separator: "\n")
    }

    private static func broken(_ line: Substring) -> String {
        var (text, length) = ("", 0)
        for part in parts(of: line) {
            if length > 0, length + 1 + part.count > width {
                // Below the first letter after the word "USAGE: ".
                text += "\n       " + part
                length = 7 + part.count
            } else {
                text += (length > 0 ? " " : "") + part
                length += (length > 0 ? 1 : 0) + part.count
            }
        }
        return text
    }

    /// The words, where those in brackets, an option with its value, and dots with what they repeat
    /// are one.
    private static func parts(of line: Substring) -> [String] {
        var parts: [String] = []
        var isOpen = false
        for word in line.split(separator: " ") {
            let isValue = parts.last?.hasPrefix("--") == true && word.hasPrefix("<")
            if isOpen || isValue || word == "...", let last = parts.popLast() {
                parts.append(last + " " + word)
            } else {
                parts.append(String(word))
            }
            let part = parts.last ?? ""
            isOpen = part.count { $0 == "[" } > part.count { $0 == "]" }
        }
        return parts
    }
}
