import RESTAuth

/// The variables of the environment that are settings.
struct SettingsEnvironment {
    private let variables: [String: String]
    /// Names of variables of Kubernetes and Docker that look like settings and are not.
    let serviceLinks: [String]
    /// The refusals of names with this server's prefix that are no settings.
    let unknown: [AuthError]

    init(_ environment: [String: String]) {
        let links = ServiceLinks.names(in: environment)
        var variables: [String: String] = [:]
        for (name, value) in environment where !links.contains(name) { variables[Self.withoutMark(name)] = value }
        let known = Setting.all.flatMap {
            [$0.environmentName] + ($0.isAlsoReadFromFile ? [Self.file($0.environmentName)] : [])
        }
        unknown = variables.keys.sorted().filter {
            $0.hasPrefix(Setting.environmentPrefix) && !known.contains($0)
        }.map { SettingsSource.unknown($0, known: known, place: "the environment") }
        serviceLinks = links
        self.variables = variables
    }

    /// Removes a byte order mark from a name: editors on Windows put one before the first line of
    /// an env file.
    private static func withoutMark(_ name: String) -> String {
        name.utf8.starts(with: "\u{FEFF}".utf8) ? String(decoding: name.utf8.dropFirst(3), as: UTF8.self) : name
    }

    private static func file(_ name: String) -> String { name + "_FILE" }

    /// The value that the environment gives for a setting; the prefixed name has precedence over
    /// the platform's.
    /// - Throws: `misconfigured` for a value together with a file of the same setting, and for
    ///   characters that may have been typed by mistake.
    func given(_ setting: Setting) throws -> SettingsSource.Given? {
        let names = [setting.environmentName, setting.platformName].compactMap(\.self)
        let value = try first(of: names)
        guard setting.isAlsoReadFromFile, let file = try first(of: names.map(Self.file)) else {
            return value.map { SettingsSource.Given(setting, $0.text, place: $0.name) }
        }
        if let value { throw SettingsSource.contradiction(value.name, file.name) }
        return SettingsSource.Given(setting, path: file.text.text, place: "\(file.name)=\(file.text.text)")
    }

    /// The first of these variables that is set and not empty.
    private func first(of names: [String]) throws -> (name: String, text: GivenText)? {
        for name in names {
            guard let value = variables[name] else { continue }
            do {
                let text = try GivenText(value.utf8)
                if !text.text.isEmpty { return (name, text) }
            } catch {
                throw AuthError(.misconfigured, "\(name) \(error.detail)")
            }
        }
        return nil
    }

    /// Name of a variable that shows that this is the environment of a Flask or Django application,
    /// which has its own `SECRET_KEY`.
    var applicationVariable: String? {
        variables.keys.sorted().first {
            $0.utf8.starts(with: "FLASK_".utf8) || $0 == "SQLALCHEMY_DATABASE_URI" || $0 == "DJANGO_SETTINGS_MODULE"
        }
    }
}
