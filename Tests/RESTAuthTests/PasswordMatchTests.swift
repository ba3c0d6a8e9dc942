import RESTAuth
import Testing

@Suite struct PasswordMatchTests {
    /// Compares spellings of a password whose typed form is not the hashed form: a no-break space,
    /// a letter with a combining diaeresis, the Kelvin sign.
    @Test(arguments: ["py\u{00A0}thon", "pa\u{0308}ssword", "\u{212A}elvin"])
    func howOftenItIsComparedDependsOnWhatIsTyped(text: String) throws {
        let password = try Password(text)
        for (fits, match) in [
            ([true, true], PasswordMatch.canonical), ([true, false], .canonical), ([false, true], .typed),
            ([false, false], .none),
        ] {
            var compared: [[UInt8]] = []
            let outcome = PasswordMatch(of: password) { bytes in
                compared.append(bytes)
                return fits[min(compared.count, fits.count) - 1]
            }
            #expect(outcome == match)
            #expect(compared == [password.bytes, Array(text.utf8)])
            #expect(compared.first != compared.last)
        }
    }

    @Test(arguments: ["python", "p\u{00E4}ssword", " "])
    func onlyOneSpellingIsComparedOnce(text: String) throws {
        let password = try Password(text)
        for fits in [true, false] {
            var count = 0
            let outcome = PasswordMatch(of: password) { _ in
                count += 1
                return fits
            }
            #expect(outcome == (fits ? .canonical : .none))
            #expect(count == 1)
        }
    }

    @Test func whatCouldBeNoneIsComparedAndNeverFits() {
        var count = 0
        let outcome = PasswordMatch(of: nil) { _ in
            count += 1
            return true
        }
        #expect(outcome == .none)
        #expect(count == 1)
    }
}
