import ArgumentParser
import Foundation
import PasswordHashing
import RESTAuth

/// The password hashes that are accepted, and the way in which a pepper was mixed into passwords.
struct ImportHashOptions: ParsableArguments {
    @Flag(
        help: ArgumentHelp(
            """
            Take hashes without a salt, or checked in less than a tenth of a millisecond, such as MD5 and SHA-1; they \
            are stored inside an Argon2id hash.
            """
        ))
    var acceptWeakHashes = false

    @Option(
        help: ArgumentHelp(
            """
            How the application mixed a pepper into its passwords: hmac-sha512 (Flask-Security), suffix (Devise), \
            prefix, hmac-sha512-hex, hmac-sha256, hmac-sha256-hex.
            """,
            valueName: "construction"))
    var pepper: String?

    @Option(
        help: ArgumentHelp(
            """
            File with that pepper, read as REST_AUTH_PASSWORD_PEPPER_FILE is; without it the setting password_pepper \
            has it.
            """,
            valueName: "file"))
    var pepperFile: String?

    func validate() throws {
        if let pepper, PasswordPepper.Construction(rawValue: pepper) == nil {
            throw ValidationError(
                "--pepper is one of \(PasswordPepper.Construction.allCases.map(\.rawValue).joined(separator: ", ")).")
        }
        if pepper == nil, pepperFile != nil {
            throw ValidationError(
                """
                --pepper-file goes with --pepper, which says how it was mixed in: hmac-sha512 for Flask-Security, \
                suffix for Devise.
                """
            )
        }
    }

    func intake(_ settings: Settings) throws -> HashIntake {
        var intake = HashIntake(
            limit: settings.auth.passwordHashLimit, acceptsWeak: acceptWeakHashes, cost: settings.auth.passwordCost)
        guard let construction = pepper.flatMap(PasswordPepper.Construction.init) else { return intake }
        let given = try pepperFile.map(Self.pepper(inFile:))
        if let given, let configured = settings.auth.passwordPepper, given.id != configured.id {
            throw AuthError(
                .misconfigured,
                """
                --pepper-file has another pepper than password_pepper, and a server has one: no user could sign in by \
                both
                """
            )
        }
        guard let pepper = given ?? settings.auth.passwordPepper else {
            throw AuthError(
                .misconfigured,
                """
                --pepper \(construction.rawValue) needs the pepper: --pepper-file FILE, or \
                \(Setting.importedUsers.pepper.environmentName)
                """
            )
        }
        intake.pepper = PepperUse(construction, of: pepper)
        return intake
    }

    /// The pepper in the file, parsed exactly as the setting would parse it: with any other value
    /// nobody could sign in.
    private static func pepper(inFile path: String) throws -> PasswordPepper {
        guard let text = try ConfidentialFile.text(of: path, isExposureAllowed: true) else {
            throw AuthError(.misconfigured, "the pepper file \(path) is empty or cannot be read: there is no such file")
        }
        guard let pepper = try PasswordPepper(Array(text.text.utf8)) else {
            throw AuthError(
                .misconfigured,
                "the pepper file \(path) is empty, or has more than \(PasswordPepper.maximumBytes) bytes")
        }
        if let exposure = FileExposure(of: path), exposure.kind == .others, let advice = exposure.advice {
            Output.note("\(advice)\n")
        }
        return pepper
    }
}
