import ArgumentParser
import Foundation
import PasswordHashing
import RESTAuth

/// Which hashes are taken, and what was mixed into the passwords before they were hashed.
struct ImportHashOptions: ParsableArguments {
    @Flag(
        help: ArgumentHelp(
            "Take hashes without a salt, or of one round of a fast hash, such as MD5 and SHA-1; they are stored inside an Argon2id hash."
        ))
    var acceptWeakHashes = false

    @Option(
        help: ArgumentHelp(
            "How the application mixed a pepper into its passwords: hmac-sha512 (Flask-Security), suffix (Devise), prefix, hmac-sha512-hex, hmac-sha256, hmac-sha256-hex.",
            valueName: "construction"))
    var pepper: String?

    @Option(
        help: ArgumentHelp(
            "File with that pepper; without it the setting password_pepper has it. One line end after it is not part of it.",
            valueName: "file"))
    var pepperFile: String?

    func validate() throws {
        if let pepper, PasswordPepper.Construction(rawValue: pepper) == nil {
            throw ValidationError(
                "--pepper is one of \(PasswordPepper.Construction.allCases.map(\.rawValue).joined(separator: ", ")).")
        }
        if pepper == nil, pepperFile != nil {
            throw ValidationError(
                "--pepper-file goes with --pepper, which says how it was mixed in: hmac-sha512 for Flask-Security, suffix for Devise."
            )
        }
    }

    func intake(_ settings: Settings) throws -> HashIntake {
        var intake = HashIntake(
            limit: settings.passwordHashLimit, acceptsWeak: acceptWeakHashes, cost: settings.passwordCost)
        guard let construction = pepper.flatMap(PasswordPepper.Construction.init) else { return intake }
        let given = try pepperFile.map(Self.pepper(inFile:))
        if let given, let configured = settings.passwordPepper, given.id != configured.id {
            throw AuthError(
                .misconfigured,
                "--pepper-file has another pepper than password_pepper, and a server has one: no user could sign in by both"
            )
        }
        guard let pepper = given ?? settings.passwordPepper else {
            throw AuthError(
                .misconfigured,
                "--pepper \(construction.rawValue) needs the pepper: --pepper-file FILE, or \(Setting.passwordPepper.environmentName)"
            )
        }
        intake.pepper = PepperUse(construction, of: pepper)
        return intake
    }

    private static func pepper(inFile path: String) throws -> PasswordPepper {
        guard let file = FileHandle(forReadingAtPath: path),
            var bytes = try file.read(upToCount: PasswordPepper.maximumBytes + 3).map({ Array($0) })
        else {
            throw AuthError(.misconfigured, "the pepper file \(path) is empty or cannot be read")
        }
        // What an editor or echo left there.
        if bytes.last == 0x0A { bytes.removeLast() }
        if bytes.last == 0x0D { bytes.removeLast() }
        guard let pepper = try PasswordPepper(bytes) else {
            throw AuthError(
                .misconfigured,
                "the pepper file \(path) is empty, or has more than \(PasswordPepper.maximumBytes) bytes")
        }
        return pepper
    }
}
