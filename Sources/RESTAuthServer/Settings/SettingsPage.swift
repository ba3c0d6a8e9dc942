import ArgumentParser

/// The reference of all settings, with a heading for each group and each setting: the end of the
/// page *Settings*, where `dev/settings-page` writes it.
struct SettingsPage {
    private let program: any ParsableCommand.Type

    init(of program: any ParsableCommand.Type) { self.program = program }

    /// Markdown of at most 100 columns, without a newline at the end.
    var text: String { Setting.groups.map(section).joined(separator: "\n\n") }

    private func section(_ group: any SettingGroup.Type) -> String {
        let commands = commands(with: group, below: program) ?? []
        let flags = "Flags of \(commands.map { "`\($0)`" }.joined(separator: ", "))."
        return (["### \(group.title)", wrapped(flags)] + group.settings.flatMap(paragraphs)).joined(separator: "\n\n")
    }

    private func paragraphs(_ setting: Setting) -> [String] {
        let variables = [setting.environmentName, setting.platformName].compactMap(\.self).map { "`\($0)`" }
        let flag = setting.isSecret ? "no flag" : "`\(setting.flag)`"
        let file = setting.isAlsoReadFromFile ? ", also with `_FILE` behind the name" : ""
        let meaning = [escaped(setting.meaning), setting.details].filter { !$0.isEmpty }.joined(separator: " ")
        return [
            "#### \(setting.name)", wrapped("\(flag); \(variables.joined(separator: ", "))\(file)"), wrapped(meaning),
            wrapped(escaped("Takes \(setting.range). Default: \(setting.standard).")),
        ]
    }

    /// Puts a literal star into a code span, so that Markdown shows it.
    private func escaped(_ text: String) -> String { text.replacing("*", with: "`*`") }

    private func wrapped(_ text: String) -> String {
        var lines = [""]
        for word in text.split(separator: " ") {
            let last = lines[lines.count - 1]
            if last.isEmpty {
                lines[lines.count - 1] = String(word)
            } else if last.count + word.count < 100 {
                lines[lines.count - 1] = "\(last) \(word)"
            } else {
                lines.append(String(word))
            }
        }
        return lines.joined(separator: "\n")
    }

    // MARK: Commands of a group

    /// The commands with flags of that group, without the program's name; where all subcommands of
    /// a command have them, the command stands for all of them.
    /// - Returns: `nil` where all of them have such flags.
    private func commands(
        with group: any SettingGroup.Type, below command: any ParsableCommand.Type, path: String = ""
    ) -> [String]? {
        let children = command.configuration.subcommands.filter { $0.configuration.shouldDisplay }
        guard !children.isEmpty else { return offers(command, group) ? nil : [] }
        let found = children.map { child in
            let path = "\(path)\(path.isEmpty ? "" : " ")\(child._commandName)"
            return (path: path, commands: commands(with: group, below: child, path: path))
        }
        if found.allSatisfy({ $0.commands == nil }) { return nil }
        return found.flatMap { $0.commands ?? [$0.path] }
    }

    private func offers(_ command: any ParsableCommand.Type, _ group: any SettingGroup.Type) -> Bool {
        Mirror(reflecting: command.init()).children.contains { child in
            (type(of: child.value) as? any OffersSettings.Type)?.groups.contains { $0 == group } == true
        }
    }
}
