import RESTAuth

struct FactorSettings: SettingGroup {
    static let title = "Second factors"

    let mode = Setting(
        "second_factor", \.auth.secondFactor.mode, .choice, "Whether users may, or must, have a second factor.",
        details: """
            `off`: none can be added; those that users have are still asked for. `optional`: each user may have some. \
            `required`: each user has to have one, or each user with one of `second_factor_roles`.
            """)
    let grace = Setting(
        "second_factor_grace", \.auth.secondFactor.grace, .duration(in: FactorPolicy.graces),
        "With --second-factor required: how long a user can sign in without one.",
        details: """
            It is counted for each user, once, from the first sign-in or renewal under the rule. A change applies to \
            users for whom it has not begun; `0` applies to all.
            """)
    let roles = Setting(
        "second_factor_roles", \.auth.secondFactor.roles, SettingType.roles.orNone,
        "With --second-factor required: roles that must have one, separated by commas.",
        details: "With `none`, all users must have one.")
    let issuer = Setting(
        "totp_issuer", \.auth.totpIssuer, .totpIssuer, standard: "the host of public_url, or rest-auth",
        "Name of this server in authenticator apps.",
        details: "Apps that have been added keep the name that they were added with.")
    let trustedDevices = Setting(
        "trusted_devices", \.auth.trustedDeviceLifetime,
        SettingType.duration(in: AuthConfiguration.trustedDeviceLifetimes).or("off", "no", "false", "none", "0"),
        "How long a device need not give a second factor again; off trusts none.")
}

extension Setting {
    static let factors = FactorSettings()
}

extension SettingType<[String]> {
    fileprivate static let roles = list("roles", "roles with commas between") { roles, found throws(AuthError) in
        try found.explaining { () throws(AuthError) in try FactorPolicy.checkRoles(roles) }
    }
}

extension SettingType<String> {
    fileprivate static let totpIssuer = SettingType(
        placeholder: "name", range: "a name of 1 to 64 characters without a colon", text: \.self
    ) { found throws(AuthError) in
        try found.explaining { () throws(AuthError) in try AuthConfiguration.checkTOTPIssuer(found.value) }
        return found.value
    }
}
