extension ImportNote {
    /// The outcome as an object: where the user stood in the source, and what became of them.
    package var json: JSON {
        var members: [(String, JSON)] = []
        switch place {
        case .line(let number): members.append(("line", .integer(number)))
        case .id(let id): members.append(("id", .integer(Int(id))))
        case .number(let number): members.append(("number", .integer(number)))
        case .row(let number): members.append(("row", .integer(number)))
        }
        if let username { members.append(("username", .string(username))) }
        switch outcome {
        case .imported(let id, nil):
            members += [
                ("outcome", lacksPassword ? "without password" : "imported"),
                ("id", id.map { .integer(Int($0)) } ?? .null),
            ]
        case .imported(let id, let former?):
            members += [
                ("outcome", "renumbered"), ("from", .integer(Int(former))),
                ("to", id.map { .integer(Int($0)) } ?? .null),
            ]
        case .skipped: members.append(("outcome", "skipped"))
        case .refused(let refusal):
            members += [
                ("outcome", "refused"), ("kind", .string(refusal.kind.rawValue)), ("reason", .string(refusal.reason)),
            ]
        }
        return .object(members.map(JSON.Member.init))
    }
}

extension ImportCounts {
    /// The counts as members of an object.
    package var members: [JSON.Member] {
        let members: [(String, JSON)] = [
            ("imported", .integer(imported)), ("renumbered", .integer(renumbered)),
            ("without_password", .integer(withoutPassword)), ("skipped", .integer(skipped)),
            ("refused", .integer(refusals)),
        ]
        return members.map(JSON.Member.init)
    }
}
