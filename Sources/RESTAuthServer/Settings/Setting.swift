import RESTAuth

/// A setting, described in one place. Its flag, variable, key in the settings file, help, error
/// messages and its part of the page *Settings* are made from this description.
///
/// `token_duration` is `--token-duration` on the command line, `REST_AUTH_TOKEN_DURATION` in the
/// environment and `token_duration:` in the file.
package struct Setting: Sendable {
    package let name: String
    /// The name without a prefix that hosting platforms set, when there is one.
    package let platformName: String?
    /// Whether the value must not be shown. The setting has no flag then, because other users can
    /// see a command line.
    package let isSecret: Bool
    /// Whether the value may be read from a file: in the environment, a variable with `_FILE` after
    /// the setting's name gives its path, in the settings file a key with `_file`. This holds for
    /// every setting that is secret or can contain a password, but for the secret key, which has a
    /// setting of its own for its file.
    package let isAlsoReadFromFile: Bool
    /// The effect of the setting, in a sentence.
    package let meaning: String
    /// Further details; empty for none.
    package let details: String
    /// The accepted values in words: "a whole number from 1 to 10".
    package let range: String
    /// Placeholder for the value in help texts.
    let placeholder: String
    /// The default, as shown in help texts.
    package let standard: String
    /// The kind of the value for programs that read it.
    let form: SettingForm
    private let flagName: String?
    private let shownText: @Sendable (String) -> String
    private let fieldText: @Sendable (Settings) -> String
    /// Reads the value and stores it in its field of the settings.
    let write: @Sendable (SettingsSource.Found, inout Settings) throws(AuthError) -> Void

    static let environmentPrefix = "REST_AUTH_"

    package var environmentName: String { Self.environmentPrefix + name.uppercased() }

    package var flag: String { "--" + (flagName ?? name.replacing("_", with: "-")) }

    /// The present value of its field, as it is written in a setting.
    package func text(in settings: Settings) -> String { fieldText(settings) }

    /// A value with secret parts hidden.
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
    ///   - field: the field that it sets; the default is the value in ``Settings/standard``.
    ///   - standard: the default in words, where the value says too little.
    ///   - flag: the flag's name, where it is not derived from the setting's name.
    init<Value>(
        _ name: String, _ field: any WritableKeyPath<Settings, Value> & Sendable, _ type: SettingType<Value>,
        standard: String? = nil, platformName: String? = nil, flag: String? = nil, isSecret: Bool = false,
        isAlsoReadFromFile: Bool? = nil, _ meaning: String, details: String = ""
    ) {
        let text: @Sendable (Settings) -> String = { type.text($0[keyPath: field]) }
        self.init(
            name: name, platformName: platformName, isSecret: isSecret,
            isAlsoReadFromFile: isAlsoReadFromFile ?? isSecret, meaning: meaning, details: details, range: type.range,
            placeholder: type.placeholder, standard: standard ?? text(.standard), form: type.form, flagName: flag,
            shownText: type.shown, fieldText: text
        ) { found, settings throws(AuthError) in
            settings[keyPath: field] = try type.read(found)
        }
    }

    /// A setting whose field is `nil` by default.
    /// - Parameter standard: the default, in words.
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

// MARK: - Groups

/// Settings that belong together and are offered together by the commands that use them: a struct
/// with a property for each, in the order in which they are shown.
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
