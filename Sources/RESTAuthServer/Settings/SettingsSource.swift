import Foundation
import RESTAuth
import Yams

/// Looks a setting up: flags first, then the environment, then the file.
struct SettingsSource {
    /// A value and the name of the place it came from, for messages.
    struct Found {
        let setting: Setting
        let value: String
        let place: String

        /// The value as it may be shown.
        var shown: String { setting.shown(value) }
    }

    private let found: [Setting: Found]
    /// The file that was read.
    private let file: String?

    /// - Throws: `misconfigured` for an unreadable file, and for a name that is no setting: a
    ///   misspelt setting is a setting not made.
    init(flags: [Setting: String], environment: [String: String], file path: String?) throws {
        for name in environment.keys.sorted() where name.hasPrefix(Setting.environmentPrefix) {
            guard Setting.allCases.contains(where: { $0.environmentName == name }) else {
                throw Self.unknown(name, known: Setting.allCases.map(\.environmentName), place: "the environment")
            }
        }
        var found = try path.map(Self.settings(inFile:)) ?? [:]
        for setting in Setting.allCases {
            for name in [setting.environmentName, setting.platformName].compactMap({ $0 }) {
                guard let value = environment[name], !value.isEmpty else { continue }
                found[setting] = Found(setting: setting, value: value, place: name)
                break
            }
        }
        for (setting, value) in flags { found[setting] = Found(setting: setting, value: value, place: setting.flag) }
        self.found = found
        file = path
    }

    /// The file, where it has what is nobody else's to read.
    var fileWithSecrets: String? {
        file.flatMap { file in
            found.values.contains { $0.place == Self.place($0.setting, in: file) && $0.shown != $0.value } ? file : nil
        }
    }

    private static func place(_ setting: Setting, in file: String) -> String { "\(setting.rawValue) in \(file)" }

    subscript(setting: Setting) -> Found? { found[setting] }

    // MARK: The file

    /// A list may be written as a YAML list or with commas.
    private static func settings(inFile path: String) throws -> [Setting: Found] {
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
            throw AuthError(.misconfigured, "the settings file \(path) cannot be read")
        }
        let root: Yams.Node?
        do {
            root = try Yams.compose(yaml: text)
        } catch {
            throw AuthError(.misconfigured, "the settings file \(path) is not YAML\(Self.place(of: error))")
        }
        guard let root else { return [:] }
        guard let mapping = root.mapping else {
            throw AuthError(.misconfigured, "the settings file \(path) is not a list of \"name: value\"")
        }
        var found: [Setting: Found] = [:]
        for (key, value) in mapping {
            let name = key.string ?? "?"
            guard let setting = Setting(rawValue: name) else {
                throw unknown(name, known: Setting.allCases.map(\.rawValue), place: path)
            }
            let values = value.sequence.map(Array.init) ?? [value]
            let texts = values.compactMap(\.scalar?.string)
            guard texts.count == values.count else {
                throw AuthError(.misconfigured, "\(name) in \(path) must be one value or a list")
            }
            found[setting] = Found(
                setting: setting, value: texts.joined(separator: ","), place: place(setting, in: path))
        }
        return found
    }

    /// Where a YAML file cannot be read. The parser's own words repeat the line, which may have a
    /// secret.
    private static func place(of error: any Error) -> String {
        switch error as? YamlError {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            ": \(problem) in line \(mark.line), column \(mark.column)"
        default: ""
        }
    }

    private static func unknown(_ name: String, known: [String], place: String) -> AuthError {
        let nearest = known.min { editDistance(name, $0) < editDistance(name, $1) } ?? ""
        return AuthError(.misconfigured, "\(place) has the unknown setting \(name); did you mean \(nearest)?")
    }
}

/// How many letters must be put in, taken out or changed to make one word of the other
/// (Levenshtein).
private func editDistance(_ left: String, _ right: String) -> Int {
    var previous = Array(0...right.count)
    for (row, character) in left.enumerated() {
        var current = [row + 1]
        for (column, other) in right.enumerated() {
            current.append(
                min(previous[column + 1] + 1, current[column] + 1, previous[column] + (character == other ? 0 : 1)))
        }
        previous = current
    }
    return previous[right.count]
}

/// It has the secrets and the database's password as they were written.
extension SettingsSource: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    var description: String { "redacted" }
    var debugDescription: String { "redacted" }
    var customMirror: Mirror { Mirror(self, children: []) }
}
