import RESTAuth

/// A setting: what there is to know of it stands here, once. Flag, variable, line of the file,
/// help, refusals and the page *Settings* are made from it.
///
/// `token_duration` is `--token-duration` on the command line, `REST_AUTH_TOKEN_DURATION` in the
/// environment and `token_duration:` in the file.
package struct Setting: Sendable {
    package let name: String
    /// The name that hosting platforms set without a prefix, when there is one.
    package let platformName: String?
    /// Whether nobody may see it. It has no flag then, because other users can see a command line.
    package let isSecret: Bool
    /// Whether the value may lie in a file that is named: in the environment by `_FILE` behind the
    /// setting's name, in the settings file by `_file`. So may every setting that is secret or can
    /// have a password in it; the secret key has a setting for that.
    package let isAlsoReadFromFile: Bool
    /// What it decides, in a sentence.
    package let meaning: String
    /// What else there is to know of it; empty for nothing.
    package let details: String
    /// What is taken: "a whole number from 1 to 10".
    package let range: String
    /// What stands for a value in help.
    let placeholder: String
    /// What holds when nobody says anything.
    package let standard: String
    private let flagName: String?
    private let shownText: @Sendable (String) -> String
    private let fieldText: @Sendable (Settings) -> String
    /// Sets the field that the setting is for.
    let write: @Sendable (SettingsSource.Found, inout Settings) throws(AuthError) -> Void

    static let environmentPrefix = "REST_AUTH_"

    package var environmentName: String { Self.environmentPrefix + name.uppercased() }

    package var flag: String { "--" + (flagName ?? name.replacing("_", with: "-")) }

    /// What stands in its field, as it is written.
    package func text(in settings: Settings) -> String { fieldText(settings) }

    /// A value of it as it may be shown.
    func shown(_ value: String) -> String { isSecret ? "(secret)" : shownText(value) }
}

extension Setting: CustomStringConvertible {
    package var description: String { name }
}

extension Setting: Hashable {
    package static func == (left: Setting, right: Setting) -> Bool { left.name == right.name }

    package func hash(into hasher: inout Hasher) { hasher.combine(name) }
}

extension Setting {
    /// - Parameters:
    ///   - field: what it sets; the default is what stands there in ``Settings/standard``.
    ///   - standard: the default in words, where the value says too little.
    ///   - flag: the flag's name, where it is not made from the setting's.
    init<Value>(
        _ name: String, _ field: any WritableKeyPath<Settings, Value> & Sendable, _ type: SettingType<Value>,
        standard: String? = nil, platformName: String? = nil, flag: String? = nil, isSecret: Bool = false,
        isAlsoReadFromFile: Bool? = nil, _ meaning: String, details: String = ""
    ) {
        let text: @Sendable (Settings) -> String = { type.text($0[keyPath: field]) }
        self.init(
            name: name, platformName: platformName, isSecret: isSecret,
            isAlsoReadFromFile: isAlsoReadFromFile ?? isSecret, meaning: meaning, details: details, range: type.range,
            placeholder: type.placeholder, standard: standard ?? text(.standard), flagName: flag,
            shownText: type.shown, fieldText: text
        ) { found, settings throws(AuthError) in
            settings[keyPath: field] = try type.read(found)
        }
    }

    /// A setting that nobody has to make.
    /// - Parameter standard: what holds then, in words.
    init<Value>(
        _ name: String, _ field: any WritableKeyPath<Settings, Value?> & Sendable, _ type: SettingType<Value>,
        standard: String, platformName: String? = nil, isSecret: Bool = false, isAlsoReadFromFile: Bool? = nil,
        _ meaning: String, details: String = ""
    ) {
        self.init(
            name, field, type.optional, standard: standard, platformName: platformName, isSecret: isSecret,
            isAlsoReadFromFile: isAlsoReadFromFile, meaning, details: details)
    }
}

// MARK: - All of them

/// Settings that belong together, and are offered together by the commands that they concern: a
/// struct with a property for each, in the order in which they are shown.
protocol SettingGroup: Sendable {
    static var title: String { get }
    init()
}

extension SettingGroup {
    static var settings: [Setting] { Mirror(reflecting: Self()).children.compactMap { $0.value as? Setting } }
}

extension Setting {
    static let groups = AllOptions.groups

    package static let all = groups.flatMap { $0.settings }
}
