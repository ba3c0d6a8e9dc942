import Foundation
import Support

/// A page or another text of the repository, with its code blocks.
struct Document {
    let text: String

    init(_ path: String) throws {
        text = try String(contentsOf: ExternalProcess.repository.appendingPathComponent(path), encoding: .utf8)
    }

    /// A page of the core's documentation.
    init(page: String) throws { try self.init("Sources/RESTAuth/RESTAuth.docc/\(page).md") }

    /// The blocks of code in that language, empty ones included, in their order.
    /// - Parameter heading: the heading above them; `nil` for all.
    func blocks(_ language: String, under heading: String? = nil) -> [String] {
        var (blocks, lines): ([String], [String]?) = ([], nil)
        var isUnder = heading == nil
        var isCode = false
        for line in text.components(separatedBy: "\n") {
            if line.hasPrefix("```") {
                if let block = lines { blocks.append(block.map { $0 + "\n" }.joined()) }
                lines = !isCode && isUnder && line == "```" + language ? [] : nil
                isCode.toggle()
            } else if isCode {
                lines?.append(line)
            } else if line.hasPrefix("#"), let heading {
                isUnder = line == heading
            }
        }
        return blocks
    }
}
