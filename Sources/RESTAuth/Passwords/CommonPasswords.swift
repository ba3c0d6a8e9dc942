import Foundation

/// Passwords that a guesser tries first, recognised by how they are made.
///
/// Under a rule of 15 characters the common passwords are short ones lengthened: a word said twice,
/// a word and digits, a run along the keyboard, one piece repeated. So instead of a list of
/// finished passwords this takes a password apart and refuses it when nothing is left that a
/// guesser would not have. Besides, it looks up what remains without digits, marks and repetition
/// in a short list of passwords that were found often, which `dev/common-passwords` makes.
enum CommonPasswords {
    /// Whether the text is a common password.
    /// - Parameter text: in lower case.
    static func contain(_ text: String) -> Bool {
        let letters = Array(
            text.unicodeScalars.map { $0.value < 0x80 ? spelledOut[Character($0)] ?? Character($0) : Character($0) })
        let plain = Array(text)
        return isRepetition(plain) || isMadeOfCommonPieces(plain) || isMadeOfCommonPieces(letters)
            || hasKnownCore(plain)
    }

    /// Whether the list has the text, or the text without digits and marks around it, or one
    /// repetition of what is repeated in that; each also with letters in place of the marks and
    /// digits that look like them.
    private static func hasKnownCore(_ text: [Character]) -> Bool {
        let core = core(of: text[...])
        return [text[...], core, period(of: core)].contains { form in
            isKnown(form) || isKnown(form.map { spelledOut[$0] ?? $0 }[...])
        }
    }

    private static func isKnown(_ text: ArraySlice<Character>) -> Bool {
        known.contains(.init(password: String(text).utf8))
    }

    private static func core(of text: ArraySlice<Character>) -> ArraySlice<Character> {
        guard let first = text.firstIndex(where: \.isLetter), let last = text.lastIndex(where: \.isLetter) else {
            return []
        }
        return text[first...last]
    }

    /// The repeated part, without what is between the repetitions; the text itself when nothing is
    /// repeated.
    private static func period(of text: ArraySlice<Character>) -> ArraySlice<Character> {
        let longest = min(longestPeriod, text.count / 2)
        let period = (1..<(longest + 1)).first { period in
            text.indices.dropFirst(period).allSatisfy { text[$0] == text[$0 - period] }
        }
        return period.map { core(of: text.prefix($0)) } ?? text
    }

    private static let longestPeriod = 32

    private static let known: PasswordFilter = {
        do {
            return try PasswordFilter(Data(PackageResources.common_passwords_filter))
        } catch {
            // The list is part of the program: a build that spoiled it must not run and accept
            // every password.
            fatalError("the list of common passwords was not built in whole: \(error)")
        }
    }()

    /// Whether the text repeats at most 8 characters, the last time perhaps in part.
    private static func isRepetition(_ text: [Character]) -> Bool {
        (1...8).contains { period in
            text.count >= 2 * period && text.indices.dropFirst(period).allSatisfy { text[$0] == text[$0 - period] }
        }
    }

    /// Whether words, runs, digits and marks account for all but at most four characters of the
    /// text.
    private static func isMadeOfCommonPieces(_ text: [Character]) -> Bool {
        var unexplained = 0
        var index = 0
        while index < text.count {
            let length = longestPiece(text[index...])
            if length == 0 { unexplained += 1 }
            index += max(length, 1)
        }
        return unexplained <= 4
    }

    private static func longestPiece(_ text: ArraySlice<Character>) -> Int {
        let word = longestWord(text)
        if word > 0 { return word }
        let run = longestRun(text)
        if run >= 3 { return run }
        guard let first = text.first else { return 0 }
        return first.isNumber || !first.isLetter && first != " " ? 1 : 0
    }

    /// The length of the word that the text begins with; 0 for none.
    static func longestWord(_ text: ArraySlice<Character>) -> Int {
        wordsByStart[String(text.prefix(3))]?.first { text.starts(with: $0) }?.count ?? 0
    }

    /// The number of characters for which the text follows a row of the keyboard, the alphabet or
    /// the digits, in either direction, or repeats its first character.
    static func longestRun(_ text: ArraySlice<Character>) -> Int {
        guard let first = text.first else { return 0 }
        let still = text.prefix { $0 == first }.count
        return runs[first, default: []].reduce(still) { longest, run in
            max(longest, zip(text, run).prefix { $0 == $1 }.count)
        }
    }

    /// The rest of each row from a character on, by that character.
    private static let runs: [Character: [ArraySlice<Character>]] = {
        let forward = [
            "abcdefghijklmnopqrstuvwxyz", "01234567890", "qwertyuiop", "qwertzuiop", "azertyuiop", "asdfghjkl",
            "zxcvbnm",
            "1q2w3e4r5t6y7u8i9o0p", "qazwsxedcrfvtgbyhnujmikolp",
        ]
        let rows = (forward + forward.map { String($0.reversed()) }).map { Array($0) }
        return rows.reduce(into: [:]) { runs, row in
            for character in Set(row) {
                runs[character, default: []].append(row.drop { $0 != character })
            }
        }
    }()

    /// The letter that each of these marks and digits looks like.
    static let spelledOut: [Character: Character] = [
        "0": "o", "1": "i", "3": "e", "4": "a", "5": "s", "7": "t", "@": "a", "$": "s", "!": "i",
    ]

    /// The words by their first three letters, the longest first.
    private static let wordsByStart = Dictionary(grouping: words.map { Array($0) }) { String($0.prefix(3)) }
        .mapValues { $0.sorted { $0.count > $1.count } }

    private static let words = Set(
        """
        password passwort passwd pass passw0rd passphrase contraseña senha parola heslo motdepasse wachtwoord kennwort \
        secret secure security private admin administrator root user username login logon signin welcome hello letmein \
        let me in open sesame access account default guest test testing tester temp temporary change changeme please \
        master manager system server service computer internet network database windows linux ubuntu debian google \
        facebook twitter amazon apple microsoft samsung android iphone youtube gmail hotmail yahoo office company \
        business work home house family mother father brother sister daughter friend friends forever always never love \
        lover loveyou iloveyou loveme baby angel angels heart sweet sweetie princess prince queen king royal dragon \
        monkey tiger lion wolf eagle falcon bear horse dolphin kitten kitty puppy chicken bunny butterfly spider \
        shadow ghost magic wizard merlin ninja samurai warrior hunter killer soldier ranger knight phoenix batman \
        superman spiderman ironman starwars startrek pokemon naruto matrix gandalf hobbit harry potter hogwarts mickey \
        minnie donald snoopy garfield football baseball basketball soccer hockey tennis golf cricket chelsea arsenal \
        liverpool manchester barcelona realmadrid madrid juventus yankees cowboys lakers steelers eagles packers \
        ferrari porsche mercedes mustang corvette camaro harley yamaha honda toyota jordan michael jennifer jessica \
        ashley amanda nicole daniel joshua matthew andrew robert thomas william charlie george jasper hannah maggie \
        ginger pepper cookie cheese banana orange cherry chocolate coffee peanut summer winter spring autumn january \
        february march april may june july august september october november december monday tuesday wednesday \
        thursday friday saturday sunday morning night sunshine sunny rainbow flower flowers rose daisy purple yellow \
        silver golden diamond crystal black white green blue red pink money dollar rich lucky happy smile peace \
        freedom liberty america england london france paris germany berlin canada mexico brazil india china japan \
        jesus christ heaven blessed faith hope music guitar rock metal metallica nirvana blink slipknot player gamer \
        gaming game games xbox playstation nintendo minecraft fortnite trustno trust nothing whatever fuck fucking \
        fuckyou shit bitch asshole pussy cocacola pepsi qwerty qwertz azerty asdf zxcv abcd abc xyz correct \
        horsebatterystaple one two three four five six seven eight nine ten zero hundred thousand million first second \
        third the and you for my is your this that
        """.split(separator: " ").map(String.init))
}
