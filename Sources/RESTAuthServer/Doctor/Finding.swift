/// A fact about a deployment that its operator should know.
struct Finding: Encodable {
    enum Kind: String, Encodable, CaseIterable {
        /// The server does not start, or does not do what it is for.
        case wrong
        /// The server works, and an attacker could use what is described.
        case dangerous
        /// The server works, and could work better.
        case slow
        /// Information that needs no action now.
        case note
    }

    let kind: Kind
    /// The setting, the file, or the part of the machine.
    let subject: String
    /// The fact, in one sentence.
    let text: String
    /// The remedy; `nil` where the text says it.
    let remedy: String?

    static func wrong(_ subject: String, _ text: String, _ remedy: String? = nil) -> Finding {
        Finding(kind: .wrong, subject: subject, text: text, remedy: remedy)
    }

    static func dangerous(_ subject: String, _ text: String, _ remedy: String? = nil) -> Finding {
        Finding(kind: .dangerous, subject: subject, text: text, remedy: remedy)
    }

    static func slow(_ subject: String, _ text: String, _ remedy: String? = nil) -> Finding {
        Finding(kind: .slow, subject: subject, text: text, remedy: remedy)
    }

    static func note(_ subject: String, _ text: String, _ remedy: String? = nil) -> Finding {
        Finding(kind: .note, subject: subject, text: text, remedy: remedy)
    }

    static func dangerous(_ setting: Setting, _ text: String, _ remedy: String) -> Finding {
        dangerous(setting.name, text, remedy)
    }

    /// The finding with another remedy.
    func with(_ remedy: String?) -> Finding {
        guard let remedy, text.hasSuffix("; \(remedy)") else { return self }
        return Finding(kind: kind, subject: subject, text: String(text.dropLast(remedy.count + 2)), remedy: remedy)
    }

    /// The finding as one line for a log.
    var line: String { remedy.map { "\(text); \($0)" } ?? text }
}
