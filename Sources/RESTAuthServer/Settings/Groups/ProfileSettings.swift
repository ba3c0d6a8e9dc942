import RESTAuth

struct ProfileSettings: SettingGroup {
    static let title = "Profiles"

    let reservation = Setting(
        "username_reservation", \.auth.usernameReservation, .duration(in: AuthConfiguration.usernameReservations),
        "How long a name that a user gave up is kept for that user.",
        details: """
            It is kept as long as a token with it can live, whatever this says. A change applies to names that are \
            given up from then on.
            """)
    let tokenClaims = Setting(
        "token_claims", \.auth.tokenClaims, SettingType.claims.orNone,
        "Members of app_metadata that access tokens carry as claims, separated by commas.",
        details: """
            For example `plan,tenant`. None that JSON Web Tokens have a meaning for, at most 32, and at most 1,024 \
            bytes together in a token. Each token that is given costs one more query then.
            """)
    let signInByEmail = Setting(
        "sign_in_by_email", \.auth.signInByEmail, .flag,
        "Whether users may sign in with a verified mail address in place of the name.",
        details: """
            With `yes`, new names may not have an `@`. A name that looks like an address comes before the address.
            """)
}

extension Setting {
    static let profiles = ProfileSettings()
}

extension SettingType<[String]> {
    fileprivate static let claims = list("names", "names of members with commas between") {
        names, found throws(AuthError) in
        try found.explaining { () throws(AuthError) in try TokenClaims.check(names) }
    }
}
