import Foundation
import RESTAuth
import Yams

/// Looks up settings: flags first, then the environment, then the file.
package struct SettingsSource {
    /// A value and the name of the place it came from, for messages.
    struct Found {
        let setting: Setting
        let value: String
        let place: String

        /// The value with secret parts hidden.
        var shown: String { setting.shown(value) }
    }

    /// A setting as it was given in one place: its value, or the path of a file with the value.
    struct Given {
        fileprivate let setting: Setting
        fileprivate let text: String
        fileprivate let isPath: Bool
        fileprivate let wasQuoted: Bool
        fileprivate let place: String

        init(_ setting: Setting, _ text: GivenText, place: String) {
            self.init(setting, text.text, isPath: false, wasQuoted: text.wasQuoted, place: place)
        }

        init(_ setting: Setting, path: String, place: String) {
            self.init(setting, path, isPath: true, place: place)
        }

        fileprivate init(
            _ setting: Setting, _ text: String, isPath: Bool = false, wasQuoted: Bool = false, place: String
        ) {
            (self.setting, self.text, self.isPath, self.wasQuoted) = (setting, text, isPath, wasQuoted)
            self.place = place
        }
    }

    private var found: [Setting: Found]
    /// Path of the settings file that was read.
    private let file: String?
    /// Paths of files that each have the value of one setting.
    let valueFiles: [String]
    /// Messages about how the environment was interpreted where that may surprise, one a line.
    let remarks: [String]
    /// Name of a variable that shows that this is the environment of another application.
    let applicationVariable: String?
    /// The refusals of names that are no settings. A misspelt setting would have no effect, so
    /// ``Settings`` takes none from a source with such a name.
    private(set) var unknown: [AuthError]

    /// - Throws: `misconfigured` for a file or a variable that cannot be read.
    package init(flags: [Setting: String], environment: [String: String], file path: String?) throws {
        let environment = SettingsEnvironment(environment)
        var unknown = environment.unknown
        var given = try path.map { try Self.settings(inFile: $0, unknown: &unknown) } ?? [:]
        for setting in Setting.all { given[setting] = try environment.given(setting) ?? given[setting] }
        for (setting, value) in flags { given[setting] = Given(setting, value, place: setting.flag) }
        var quoted: [String] = []
        found = try given.mapValues { given in
            let (found, wasQuoted) = try Self.found(given)
            if wasQuoted, given.setting.isSecret { quoted.append(given.place) }
            return found
        }
        self.unknown = unknown
        file = path
        valueFiles = given.values.filter(\.isPath).map(\.text).sorted()
        applicationVariable = environment.applicationVariable
        remarks = Self.remarks(links: environment.serviceLinks, quoted: quoted.sorted())
    }

    private static func remarks(links: [String], quoted: [String]) -> [String] {
        var remarks = quoted.map {
            "\($0) stood in quotes, which are not part of it; a secret that has them stands in the settings file"
        }
        if !links.isEmpty {
            remarks.append(
                """
                passed over \(links.joined(separator: ", ")): Kubernetes or Docker sets them for a service of that \
                name, and they are no settings
                """
            )
        }
        return remarks
    }

    /// Reads the value from its file, where it is given as a path.
    private static func found(_ given: Given) throws -> (Found, wasQuoted: Bool) {
        guard given.isPath else {
            return (Found(setting: given.setting, value: given.text, place: given.place), given.wasQuoted)
        }
        do {
            guard let text = try ConfidentialFile.text(of: given.text) else {
                throw AuthError(.misconfigured, "\(given.text): \(String(cString: strerror(ENOENT)))")
            }
            guard !text.text.isEmpty else { throw AuthError(.misconfigured, "\(given.text) is empty") }
            return (Found(setting: given.setting, value: text.text, place: given.place), text.wasQuoted)
        } catch let error as AuthError {
            throw AuthError(.misconfigured, "\(given.place): \(error.detail)")
        }
    }

    static func contradiction(_ value: String, _ file: String) -> AuthError {
        AuthError(.misconfigured, "\(value) and \(file) are both set, and say the same thing twice: unset one of them")
    }

    /// Path of the settings file, when it contains a secret.
    var fileWithSecrets: String? {
        file.flatMap { file in
            found.values.contains { $0.place == Self.place($0.setting, in: file) && $0.shown != $0.value } ? file : nil
        }
    }

    /// The flags that give another command the same database and secret; it shares the environment
    /// anyway. A database password is left out, so that it does not appear on a command line.
    var commandArguments: [String] {
        var arguments = file.map { ["--config", $0] } ?? []
        for setting in [Setting.database.url, .postgres.schema, .secret.file] {
            guard let found = found[setting], found.place == setting.flag, found.shown == found.value else { continue }
            arguments += [found.place, found.value]
        }
        return arguments
    }

    private static func place(_ setting: Setting, in file: String) -> String { "\(setting.name) in \(file)" }

    subscript(setting: Setting) -> Found? { found[setting] }

    /// The setting that an error message names at its beginning.
    func whatIsMeant(by refusal: String) -> Found? {
        found.values.filter { refusal.hasPrefix($0.place) }.max { $0.place.count < $1.place.count }
    }

    /// A copy in which the setting is not set.
    func without(_ setting: Setting) -> SettingsSource {
        var source = self
        source.found[setting] = nil
        return source
    }

    /// A copy without the names that are no settings.
    func withoutUnknown() -> SettingsSource {
        var source = self
        source.unknown = []
        return source
    }

    // MARK: The file

    /// Reads the settings file. A list may be written as a YAML list or with commas.
    private static func settings(inFile path: String, unknown: inout [AuthError]) throws -> [Setting: Given] {
        let text = try text(ofFile: path)
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
        var given: [Setting: Given] = [:]
        for (key, value) in mapping {
            let name = key.string ?? "?"
            let values = value.sequence.map(Array.init) ?? [value]
            let texts = values.compactMap(\.scalar?.string)
            guard let setting = setting(named: name) else {
                unknown.append(Self.unknown(name, known: Setting.all.map(\.name), place: path))
                continue
            }
            guard texts.count == values.count else {
                throw AuthError(.misconfigured, "\(name) in \(path) must be one value or a list")
            }
            if given[setting] != nil { throw contradiction(setting.name, "\(setting.name)_file in \(path)") }
            let joined = try texts.map { try checked($0, setting, place: "\(name) in \(path)") }.joined(separator: ",")
            given[setting] =
                name == setting.name
                ? Given(setting, joined, place: place(setting, in: path))
                : Given(setting, path: joined, place: "\(name) in \(path)")
        }
        return given
    }

    /// The setting that is given by that name, or whose file is.
    private static func setting(named name: String) -> Setting? {
        Setting.all.first { $0.name == name }
            ?? Setting.all.first { $0.isAlsoReadFromFile && $0.name + "_file" == name }
    }

    /// Checks a value from the settings file. The key of a Flask server may contain any character
    /// and is kept as it is.
    private static func checked(_ text: String, _ setting: Setting, place: String) throws -> String {
        guard setting != .importedUsers.legacySecret else { return text }
        let trimmed = text.trimmingCharacters(in: CharacterSet(charactersIn: " \t\r\n"))
        do {
            try GivenText.refuseDoubtful(in: trimmed.unicodeScalars[...])
        } catch {
            throw AuthError(.misconfigured, "\(place) \(error.detail)")
        }
        return trimmed
    }

    private static func text(ofFile path: String) throws -> String {
        let data: [UInt8]
        do {
            data = try RegularFile(path).bytes()
        } catch {
            throw AuthError(.misconfigured, "the settings file \(path) cannot be read: \(error.reason)")
        }
        if data.starts(with: [0xFF, 0xFE]) || data.starts(with: [0xFE, 0xFF]) {
            throw AuthError(.misconfigured, "the settings file \(path) is UTF-16: save it as UTF-8")
        }
        guard
            let text = String(
                validating: data.starts(with: [0xEF, 0xBB, 0xBF]) ? data.dropFirst(3) : data[...], as: UTF8.self)
        else { throw AuthError(.misconfigured, "the settings file \(path) is not UTF-8") }
        return text
    }

    /// The place where parsing a YAML file failed. The parser's full message repeats the line,
    /// which may contain a secret.
    private static func place(of error: any Error) -> String {
        switch error as? YamlError {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            """
            : \(problem) in line \(mark.line), column \(mark.column); a value that has a colon, or begins with \
            * & ! % @ [ or {, stands in quotes: hostname: "*"
            """
        default: ""
        }
    }

    static func unknown(_ name: String, known: [String], place: String) -> AuthError {
        let isPath: (Setting) -> Bool = { [$0.name + "_file", $0.environmentName + "_FILE"].contains(name) }
        if let setting = Setting.all.first(where: isPath), !setting.isAlsoReadFromFile {
            let files = Setting.all.filter(\.isAlsoReadFromFile).map(\.name).joined(separator: ", ")
            return AuthError(
                .misconfigured,
                "\(place) has \(name), but only \(files) may lie in a file: give \(setting.name) itself")
        }
        let nearest = known.min { editDistance(name, $0) < editDistance(name, $1) } ?? ""
        return AuthError(.misconfigured, "\(place) has the unknown setting \(name); did you mean \(nearest)?")
    }
}

/// The number of letters to insert, remove or change to turn one word into the other (Levenshtein).
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

/// Redacted, because it contains secrets and the database's password in clear text.
extension SettingsSource: Redacted {}
