import RESTAuth
import Testing

/// What was typed where a code was asked for, and what a client is told of the factors it is for.
@Suite struct FactorAnswerTests {
    @Test func sixDigitsAreACodeOfAnApp() {
        guard case .oneTimeCode(let code) = FactorAnswer("123456") else {
            Issue.record("it is no code of an app")
            return
        }
        #expect(code.value == "123456")
    }

    @Test(arguments: ["10123-45678", "1012345678", "7k3qd 9xw2m"])
    func tenCharactersAreACodeOnPaper(text: String) {
        guard case .recoveryCode = FactorAnswer(text) else {
            Issue.record("\(text) is no code on paper")
            return
        }
    }

    @Test(arguments: [
        "", " ", "12345", "1234567", "12345678", "123 456", " 123456", "123456\n", "１２３４５６", "python", "7K3QD",
        "7K3QD-9XW2U", "7K3QD-9XW2M-7K3QD-9XW2M", "null", "0", "-----", "\0\0\0\0\0\0",
    ])
    func anythingElseIsNoAnswer(text: String) {
        #expect(FactorAnswer(text) == nil)
    }

    @Test func whateverIsSentIsReadToItsEnd() {
        var random = SplitMix(state: 17)
        let pieces = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZilo=- \u{2013}\0\u{301}é１😀".unicodeScalars)
        for _ in 0..<20_000 {
            let length = Int.random(in: 0..<20, using: &random)
            var text = String.UnicodeScalarView()
            for _ in 0..<length { text.append(pieces.randomElement(using: &random) ?? "0") }
            switch FactorAnswer(String(text)) {
            case .oneTimeCode(let code): #expect(code.value.utf8.elementsEqual(String(text).utf8))
            case .recoveryCode(let code): #expect(RecoveryCode(code.value)?.value == code.value)
            case nil: break
            }
            let bytes = (0..<length).map { _ in UInt8.random(in: .min ... .max, using: &random) }
            #expect(Base32.decode(bytes).map(Base32.encode).map { $0.utf8.elementsEqual(bytes) } ?? true)
            #expect(Base32.decode(Base32.encode(bytes).utf8) == bytes)
        }
    }

    @Test func itShowsNothing() throws {
        for text in ["123456", "7K3QD-9XW2M"] {
            let answer = try #require(FactorAnswer(text))
            #expect("\(answer)" == "redacted" && String(reflecting: [answer]) == "[redacted]")
        }
    }

    @Test func severalAppsOfAUserAreToldApart() {
        let ids = (0..<1000).map { _ in FactorDescription.newID() }
        #expect(Set(ids).count == 1000)
        #expect(ids.allSatisfy { Base32.decode($0.utf8)?.count == 10 })
        let (one, other) = (FactorDescription.totp(id: "A", name: "phone"), FactorDescription.totp(id: "B", name: ""))
        #expect(one != other && one.kind == other.kind && one.method == .oneTimePassword)
        #expect(FactorDescription.recoveryCodes.id == "recovery_codes")
        #expect(FactorDescription.recoveryCodes.kind.rawValue == "recovery_codes" && one.kind.rawValue == "totp")
    }
}
