import RESTAuth

struct OperatorSettings: SettingGroup {
    static let title = "The operator's API"

    let link = Setting(
        "password_link_url", \.auth.passwordLinkURL, SettingType.linkPage.or("none"),
        "Page on which a user sets the password of a link that an operator made.",
        details: """
            The token stands behind `#`, so that it is in no log. The page sends it to `PUT /api/tokens/reset`. With \
            `none`, a link is a token alone.
            """)
}

extension Setting {
    static let operators = OperatorSettings()
}

extension SettingType<String> {
    fileprivate static let linkPage = SettingType(
        placeholder: "url", range: "an https URL without a fragment, such as https://example.com/password",
        text: \.self
    ) { found throws(AuthError) in
        try found.explaining { () throws(AuthError) in try AuthConfiguration.checkPasswordLinkURL(found.value) }
        return found.value
    }
}
