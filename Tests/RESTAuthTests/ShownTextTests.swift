import RESTAuth
import RESTAuthTesting
import Testing

/// Names and notes that people read in lists keep one rule, whatever they name.
@Suite struct ShownTextTests {
    /// What takes a text, and refuses what cannot be shown.
    enum Kind: CaseIterable {
        case factor, profile, token, note
    }

    private func take(_ text: String, as kind: Kind) async throws {
        switch kind {
        case .factor: _ = try FactorName(text)
        case .profile:
            _ = try ProfilePatch(["name": .string(text)], byOperator: false).applied(to: Profile(), at: .now)
        case .token:
            let test = try await TestAuth()
            _ = try await test.auth.users.register("miguel", password: "python")
            let user = try await test.auth.login.identify("miguel", password: "python")
            _ = try await test.auth.personalTokens.create(text, scopes: [Scope.profile], for: user)
        case .note: _ = try await TestAuth().auth.serviceAccounts.add("backup", note: text)
        }
    }

    @Test(
        arguments: Kind.allCases,
        [
            "phone", "My phone", "Телефон", "携帯", "👩‍🚀's key", "⠁", "<b>\"'&;", "u\u{308}", "कि",
            "नमस्ते", "a\u{903}", "نور",
        ])
    func aTextIsTaken(kind: Kind, text: String) async throws { try await take(text, as: kind) }

    @Test(
        arguments: Kind.allCases,
        [
            "", " ", "\u{A0}", " a", "a ", "a\u{3000}", "a\n", "a\nb", "a\u{1B}[31mb", "a\0", "a\u{7F}", "a\u{9B}b",
            "a\u{202E}b", "a\u{2066}b", "\u{200F}a", "\u{61C}a", "a\u{2028}b", "\u{E000}", "a\u{FFFF}", "\u{378}",
            // Nothing that can be seen.
            "\u{200B}", "\u{200B}\u{200D}\u{2060}", "\u{AD}", "\u{FEFF}", "\u{3164}", "\u{115F}\u{1160}", "\u{FFA0}",
            "\u{2800}", "\u{FE0F}", "\u{308}", "\u{903}", "\u{93F}\u{308}", "\u{20DD}", "\u{E0041}\u{E007F}",
            "\u{17B4}",
            "\u{34F}", "\u{180E}", "\u{1D173}",
        ])
    func whatCannotBeShownIsRefused(kind: Kind, text: String) async throws {
        let error = await #expect(throws: AuthError.self) { try await take(text, as: kind) }
        #expect(error?.code == .validationFailed)
    }
}
