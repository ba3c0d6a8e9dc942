extension JSON {
    /// Applies a JSON merge patch (RFC 7396): members of an object replace those of the same name,
    /// `null` removes one, and a patch that is no object replaces the whole value.
    package func merging(_ patch: JSON) -> JSON {
        guard case .object(let changes) = patch else { return patch }
        let own: [Member] = if case .object(let members) = self { members } else { [] }
        var members: [(name: String, value: JSON?)] = own.map { ($0.name, $0.value) }
        // Found by their names: a patch and its target may both have many members.
        var places = Dictionary(own.enumerated().map { (WireText($1.name), $0) }) { first, _ in first }
        for change in changes {
            let name = WireText(change.name)
            let place = places[name]
            let present = place.flatMap { members[$0].value } ?? .null
            let value = change.value == .null ? nil : present.merging(change.value)
            if let place {
                members[place].value = value
            } else if value != nil {
                places[name] = members.count
                members.append((change.name, value))
            }
        }
        return .object(members.compactMap { name, value in value.map { Member(name: name, value: $0) } })
    }
}
