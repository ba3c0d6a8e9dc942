import RESTAuth

extension Setting {
    /// The setting in force as an object: its value, with the unit of a quantity, and where it came
    /// from. Of a secret only whether it is set.
    func json(in settings: Settings, from source: SettingsSource) -> JSON {
        let found = source[self]
        let (value, unit) = isSecret ? (JSON.null, nil) : value(shown(text(in: settings)))
        return [
            "name": .string(name), "value": value, "unit": unit.map(JSON.string) ?? .null,
            "is_set": .bool(found != nil), "is_secret": .bool(isSecret),
            "source": .string(found?.place ?? "default"),
        ]
    }

    /// The value for programs, with the name of its unit; `null` for none.
    private func value(_ text: String) -> (JSON, unit: String?) {
        guard !WireText(text).equals("none") else { return (.null, nil) }
        switch form {
        case .text: return (.string(text), nil)
        case .flag: return (.bool(WireText(text).equals("yes")), nil)
        case .count: return (Int(text).map(JSON.integer) ?? .string(text), nil)
        case .quantity(let unit): return unit.number(text).map { (.integer($0), unit.name) } ?? (.string(text), nil)
        }
    }
}
