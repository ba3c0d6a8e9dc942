import ArgumentParser
import Foundation
import RESTAuth

/// The source of a new password: never the command line, which other users can see.
struct PasswordOptions: ParsableArguments {
    @Flag(help: "Read the password from standard input: one line, in UTF-8, or in UTF-16 as PowerShell may write it.")
    var passwordStdin = false

    func read() throws -> String {
        if passwordStdin {
            guard let line = try StandardInput.line() else {
                throw AuthError(.validationFailed, "standard input has no password")
            }
            return line
        }
        guard isatty(STDIN_FILENO) == 1 else {
            throw AuthError(.validationFailed, "no terminal to ask for a password on; use --password-stdin")
        }
        let password = try Self.ask("Password: ")
        guard try password == Self.ask("Again: ") else {
            throw AuthError(.validationFailed, "the two passwords differ")
        }
        return password
    }

    /// Asks on the terminal without echo.
    /// - Throws: `validation_failed` for input that is not text.
    static func ask(_ prompt: String) throws(AuthError) -> String {
        Output.note(prompt)
        var before = termios()
        tcgetattr(STDIN_FILENO, &before)
        var quiet = before
        quiet.c_lflag &= ~tcflag_t(ECHO)
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet)
        defer {
            tcsetattr(STDIN_FILENO, TCSAFLUSH, &before)
            Output.note("\n")
        }
        return try StandardInput.line() ?? ""
    }
}
