import RESTAuth

struct SecretSettings: SettingGroup {
    static let title = "Secret"

    let key = Setting(
        "secret_key", \.secretKey, .secret { text throws(AuthError) in try InstanceSecret(text) },
        standard: "the one in `secret_key_file`", platformName: "SECRET_KEY", isSecret: true, isAlsoReadFromFile: false,
        "The secret key itself.",
        details: "A key that is too regular to be random is refused: one with words, runs or repetitions.")
    let file = Setting(
        "secret_key_file", \.secretFile, .file, standard: "NAME.secret beside NAME.sqlite",
        platformName: "SECRET_KEY_FILE",
        "File with the secret key, accessible only to the process and its group.",
        details: """
            The file is made beside a SQLite database if there is none and nothing in the database needs the missing \
            one. Set this or `secret_key`, not both. With PostgreSQL, set one of them, to the same key on every node.
            """)
    let next = Setting(
        "secret_key_next", \.secretKeyNext, .secret { text throws(AuthError) in try InstanceSecret(text) },
        standard: "unset", platformName: "SECRET_KEY_NEXT", isSecret: true,
        "With `secret_key`: the secret that will replace it, accepted beside it.",
        details: "A file of secrets contains its own next secret, which `rest-auth secret rotate` writes.")
    let previous = Setting(
        "secret_key_previous", \.secretKeyPrevious,
        .secret { text throws(AuthError) in try InstanceSecret(retired: text) },
        standard: "unset", platformName: "SECRET_KEY_PREVIOUS", isSecret: true,
        "With `secret_key`: the secret that it replaced, accepted beside it.",
        details: "It is needed until `rest-auth secret drop` finds that nothing depends on it.")
}

extension Setting {
    static let secret = SecretSettings()
}

extension SettingType<InstanceSecret> {
    fileprivate static func secret(_ make: @escaping @Sendable (String) throws(AuthError) -> InstanceSecret) -> Self {
        SettingType(
            placeholder: "secret", range: "a text of at least 32 bytes from a random generator",
            text: { _ in "(secret)" }
        ) { found throws(AuthError) in
            try found.explaining { () throws(AuthError) in try make(found.value) }
        }
    }
}
