import Configuration
import Foundation
import RESTAuth
import SystemPackage
import Yams

/// Looks a setting up: flags first, then the environment, then the file.
struct SettingsSource {
    /// A value and the name of the place it came from, for messages.
    struct Found {
        let value: String
        let place: String
    }

    private let flags: ConfigReader
    private let environment: ConfigReader
    private let file: ConfigReader?
    private let fileName: String?
    private let environmentNames: [Setting: String]

    /// - Throws: `misconfigured` for an unreadable file, and for a name that is no setting: a
    ///   misspelt setting is a setting not made.
    init(flags: [Setting: String], environment: [String: String], file path: String?) async throws {
        self.flags = ConfigReader(
            provider: InMemoryProvider(
                name: "flags",
                values: Dictionary(
                    uniqueKeysWithValues: flags.map {
                        (AbsoluteConfigKey([$0.rawValue]), ConfigValue(.string($1), isSecret: false))
                    })))

        for name in environment.keys.sorted() where name.hasPrefix(Setting.environmentPrefix) {
            guard Setting.allCases.contains(where: { $0.environmentName == name }) else {
                throw Self.unknown(name, known: Setting.allCases.map(\.environmentName), place: "the environment")
            }
        }
        environmentNames = Dictionary(
            uniqueKeysWithValues: Setting.allCases.compactMap { setting in
                [setting.environmentName, setting.platformName].compactMap { $0 }.first {
                    environment[$0]?.isEmpty == false
                }.map {
                    (setting, $0)
                }
            })
        let values = environmentNames.map { ($0.rawValue.uppercased(), environment[$1] ?? "") }
        self.environment = ConfigReader(
            provider: EnvironmentVariablesProvider(
                environmentVariables: Dictionary(uniqueKeysWithValues: values),
                secretsSpecifier: .specific(Set(Setting.allCases.filter(\.isSecret).map { $0.rawValue.uppercased() }))))

        fileName = path
        if let path, try Self.hasSettings(file: path) {
            file = try await ConfigReader(provider: FileProvider<YAMLSnapshot>(filePath: FilePath(path)))
        } else {
            file = nil
        }
    }

    subscript(setting: Setting) -> Found? {
        let key = ConfigKey([setting.rawValue])
        if let value = flags.string(forKey: key) { return Found(value: value, place: setting.flag) }
        if let value = environment.string(forKey: key, isSecret: setting.isSecret), !value.isEmpty {
            return Found(value: value, place: environmentNames[setting] ?? setting.environmentName)
        }
        guard let file, let fileName else { return nil }
        // A list may be written as a YAML list or with commas.
        let value =
            file.string(forKey: key, isSecret: setting.isSecret)
            ?? file.stringArray(forKey: key)?.joined(separator: ",")
        return value.map { Found(value: $0, place: "\(setting.rawValue) in \(fileName)") }
    }

    // MARK: The file

    /// Whether there is anything in the file.
    private static func hasSettings(file path: String) throws -> Bool {
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
            throw AuthError(.misconfigured, "the settings file \(path) cannot be read")
        }
        let root: Yams.Node?
        do {
            root = try Yams.compose(yaml: text)
        } catch {
            throw AuthError(.misconfigured, "the settings file \(path) is not YAML: \(error)")
        }
        guard let root else { return false }
        guard let mapping = root.mapping else {
            throw AuthError(.misconfigured, "the settings file \(path) is not a list of \"name: value\"")
        }
        for (key, value) in mapping {
            let name = key.string ?? "?"
            guard Setting(rawValue: name) != nil else {
                throw unknown(name, known: Setting.allCases.map(\.rawValue), place: path)
            }
            guard value.mapping == nil else {
                throw AuthError(.misconfigured, "\(name) in \(path) must be one value or a list")
            }
        }
        return true
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
