import ArgumentParser

/// The flags of a command that reads settings: those of the groups that the command uses, each
/// under its title in the help, and the flag that names the settings file.
///
/// All other settings apply to the command too, from the environment and the file. A flag has
/// precedence over the environment, the environment over the file.
///
/// ArgumentParser finds the options of a type by reflection, and decodes them by name. So options
/// need no property each: a mirror shows one for each setting, and keys are made from names.
struct SettingsOptions<each Group: SettingGroup>: ParsableArguments {
    let config: String?
    let given: [Setting: String]

    init() { (config, given) = (nil, [:]) }

    init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: FlagName.self)
        config = try values.decode(Option<String?>.self, forKey: .config).wrappedValue
        var given: [Setting: String] = [:]
        for group in repeat (each Group).self {
            given.merge(try Self.given(group, in: values)) { $1 }
        }
        self.given = given
    }

    private static func given<One: SettingGroup>(
        _ group: One.Type, in values: KeyedDecodingContainer<FlagName>
    ) throws -> [Setting: String] {
        try values.decode(OptionGroup<SettingFlags<One>>.self, forKey: FlagName(group: group)).wrappedValue.given
    }
}

extension SettingsOptions: CustomReflectable {
    var customMirror: Mirror {
        let config = Option<String?>(
            help: ArgumentHelp("Read settings from this YAML or JSON file.", valueName: "file"))
        var children: [Mirror.Child] = [(FlagName.config.stringValue, config)]
        for group in repeat (each Group).self { children.append(Self.child(group)) }
        return Mirror(self, children: children)
    }

    private static func child<One: SettingGroup>(_ group: One.Type) -> Mirror.Child {
        (FlagName(group: group).stringValue, OptionGroup<SettingFlags<One>>(title: One.title))
    }
}

/// Options of a command that set settings.
protocol OffersSettings {
    static var groups: [any SettingGroup.Type] { get }
}

extension SettingsOptions: OffersSettings {
    static var groups: [any SettingGroup.Type] {
        var groups: [any SettingGroup.Type] = []
        for group in repeat (each Group).self { groups.append(group) }
        return groups
    }
}

extension OptionGroup: OffersSettings where Value: OffersSettings {
    static var groups: [any SettingGroup.Type] { Value.groups }
}

/// The flags of one group. A secret has none: other users can see a command line.
private struct SettingFlags<Group: SettingGroup>: ParsableArguments, CustomReflectable {
    let given: [Setting: String]

    private static var settings: [Setting] { Group.settings.filter { !$0.isSecret } }

    init() { given = [:] }

    init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: FlagName.self)
        var given: [Setting: String] = [:]
        for setting in Self.settings {
            given[setting] = try values.decode(Option<String?>.self, forKey: FlagName(setting)).wrappedValue
        }
        self.given = given
    }

    var customMirror: Mirror {
        Mirror(self, children: Self.settings.map { (FlagName($0).stringValue, Self.option($0)) as Mirror.Child })
    }

    private static func option(_ setting: Setting) -> Option<String?> {
        let text = "\(setting.meaning) (default: \(setting.standard))"
        return Option(
            name: .customLong(String(setting.flag.dropFirst(2))),
            help: ArgumentHelp("\(text)", valueName: setting.placeholder))
    }
}

/// The name by which ArgumentParser knows a setting or a group of settings.
private struct FlagName: CodingKey {
    static let config = FlagName(stringValue: "config")

    let stringValue: String

    init(stringValue: String) { self.stringValue = stringValue }

    init(_ setting: Setting) { stringValue = setting.name }

    init(group: any SettingGroup.Type) { stringValue = "\(group)" }

    var intValue: Int? { nil }

    init?(intValue: Int) { nil }
}
