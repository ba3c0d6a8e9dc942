import Foundation
import RESTAuth
import Testing

/// Texts that are taken for tokens for programs, and are therefore no names of users.
@Suite struct ProgramTokenOutlineTests {
    private static let rest = "0aZ9" + String(repeating: "x", count: 32)

    @Test(arguments: ["ra_pat_", "ra_svc_"]) func aTokenIsToldByItsOutline(prefix: String) {
        #expect(ProgramToken.hasOutline((prefix + Self.rest).utf8))
        #expect(ProgramToken.hasPrefixInAnyCase((prefix + Self.rest).uppercased().utf8))
    }

    private static let short = String(rest.dropLast())

    private static let others: [String] = [
        "", "r", "ra_pat_", "ra_pat_\(short)", "ra_pat_\(rest)x", " ra_pat_\(short)", "ra-pat-\(rest)",
        "ra_cli_\(rest)", "ra_patx\(rest)", "ra_pat_\(short)-", "ra_pat_\(short)_", "ra_pat_\(short) ",
        "ra_pat_\(short)\n", "ra_pat_\(short.dropLast())ä", "RA_PAT_\(rest)", "Ra_pat_\(rest)", "xra_pat_\(short)",
        "ra_pat_\(String(repeating: "x", count: 10_000))",
    ]

    @Test(arguments: others)
    func allElseIsNone(text: String) {
        #expect(!ProgramToken.hasOutline(text.utf8))
    }

    private static let names: [String] = [
        "ra_pat_\(rest)", "ra_svc_\(rest)", "ra_pat_\(rest)".uppercased(), "Ra_Svc_\(rest)", "ra_pat_",
        "ra_svc_\(short)",
        "RA_PAT_\(rest)x", "ra_pat_bob",
    ]

    /// Nor that of one that was mistyped: it would be stored with the wrong passwords that are
    /// counted.
    @Test(arguments: names) func noUserHasTheNameOfAToken(name: String) {
        let error = #expect(throws: AuthError.self) { try Username(name) }
        #expect(error?.code == .validationFailed)
        #expect(error?.field == "username")
        #expect(throws: AuthError.self) { try Username(whoever: name) }
    }

    private static let similarNames: [String] = [
        "ra_pat", "ra_cli_\(rest)", "ra_", "xra_pat_", "rapat_\(short)",
    ]

    @Test(arguments: similarNames)
    func namesThatOnlyBeginLikeThatArePossible(name: String) throws {
        #expect(try Username(name).text == name)
    }

    @Test func theNameInHTTPBasicIsTheToken() throws {
        let token = Array(("ra_pat_" + Self.rest).utf8)
        for password in ["", "x", "python", "\u{1}"] {
            let credentials = Credentials(username: token[...], password: Array(password.utf8)[...])
            guard case .token(let bytes)? = credentials else {
                Issue.record("\(password) is taken for a password")
                continue
            }
            #expect(bytes == token)
        }
        // As a password it is one like any other.
        guard case .password? = Credentials(username: Array("miguel".utf8)[...], password: token[...]) else {
            Issue.record("taken for a token")
            return
        }
    }
}
