import Foundation

/// Estimate of how many guesses a secret would take, in bits, judged by its text.
///
/// An attacker who has anything that was made with a secret, such as a token or a challenge, can
/// test guesses at it as fast as machines compute. Generated text has nothing that shortens the
/// search; text made up by people has words, runs along the alphabet or the keyboard, repetitions
/// and years. Each of those counts for few bits here, however long it is.
enum GuessableSecret {
    /// Bits of a repeated piece.
    private static let repetition = 5.0
    /// Bits of a run along the keyboard, the alphabet or the digits.
    private static let run = 8.0
    /// Bits of a word that many people choose, whatever its length.
    private static let commonWord = 10.0
    /// Bits of a letter in a pronounceable piece, close to the entropy of language.
    private static let spokenLetter = 2.2

    static func bits(of text: String) -> Double {
        let typed = text.unicodeScalars.map(Character.init)
        let plain = typed.map { $0.isASCII ? Character($0.lowercased()) : $0 }
        // In a text that is mostly numbers, digits do not stand for letters.
        guard 2 * typed.count(where: \.isLetter) > typed.count else { return bits(of: plain, typed) }
        return min(bits(of: plain, typed), bits(of: plain.map { CommonPasswords.spelledOut[$0] ?? $0 }, typed))
    }

    private static func bits(of plain: [Character], _ typed: [Character]) -> Double {
        let letterBits = alphabetBits(of: typed)
        var bits = 0.0
        var place = 0
        while place < plain.count {
            let (length, cost) = piece(of: plain, at: place) ?? (1, cost(of: typed, at: place, letterBits: letterBits))
            bits += cost
            place += length
        }
        return bits
    }

    /// Finds the pattern that begins at `place`, by its length and bits: the cheapest one for its
    /// length; `nil` when there is none and the character counts by itself.
    private static func piece(of text: [Character], at place: Int) -> (length: Int, bits: Double)? {
        let rest = text[place...]
        var pieces: [(length: Int, bits: Double)] = [
            (repeated(in: text, at: place), repetition), (CommonPasswords.longestRun(rest), run),
            (steps(rest, each: 1), run),
        ].filter { $0.length >= 3 }
        // Two interleaved runs, with a character of each in turn.
        let braided = steps(rest, each: 2)
        if braided >= 6 { pieces.append((braided, 2 * run)) }
        let word = CommonPasswords.longestWord(rest)
        if word >= 3 { pieces.append((word, min(commonWord, spokenLetter * Double(word)))) }
        let spoken = spokenLength(rest)
        if spoken >= 4 { pieces.append((spoken, spokenLetter * Double(spoken))) }
        return pieces.min { $0.bits / Double($0.length) < $1.bits / Double($1.length) }
    }

    /// Length of the piece at `place` that occurs earlier too.
    private static func repeated(in text: [Character], at place: Int) -> Int {
        (0..<place).reduce(0) { longest, earlier in
            max(longest, zip(text[place...], text[earlier...]).prefix { $0 == $1 }.count)
        }
    }

    /// Length of the beginning in which each character is the same small step from the one
    /// `distance` places before it.
    private static func steps(_ text: ArraySlice<Character>, each distance: Int) -> Int {
        let codes = text.map { Int($0.unicodeScalars.first?.value ?? 0) }
        let differences = zip(codes.dropFirst(distance), codes).map { $0 - $1 }
        let followed = differences.indices.prefix { index in
            abs(differences[index]) <= 2 && (index < distance || differences[index] == differences[index - distance])
        }
        return followed.isEmpty ? 0 : distance + followed.count
    }

    /// Number of letters at the beginning that are pronounceable.
    private static func spokenLength(_ text: ArraySlice<Character>) -> Int {
        let letters = text.prefix { $0.isASCII && $0.isLetter }
        var (length, consonants, vowels, hasVowel) = (0, 0, 0, false)
        for letter in letters {
            let isVowel = "aeiouy".contains(letter)
            (consonants, vowels) = isVowel ? (0, vowels + 1) : (consonants + 1, 0)
            if consonants > 3 || vowels > 2 { break }
            hasVowel = hasVowel || isVowel
            length += 1
        }
        return hasVowel ? length : 0
    }

    /// Bits of one character: a mark or digit like the one before it costs less than a new kind.
    private static func cost(of text: [Character], at place: Int, letterBits: Double) -> Double {
        let character = text[place]
        if character.isNumber {
            return place > 0 && text[place - 1].isNumber ? min(3.3, letterBits) : letterBits
        }
        guard !character.isLetter else { return letterBits }
        return text[..<place].last { !$0.isLetter && !$0.isNumber } == character ? 1 : letterBits
    }

    /// Bits of a random character of the kinds that the text has.
    private static func alphabetBits(of text: [Character]) -> Double {
        let kinds: [(size: Double, has: (Character) -> Bool)] = [
            (10, { $0.isNumber }), (26, { $0.isASCII && $0.isLowercase }), (26, { $0.isASCII && $0.isUppercase }),
            (33, { !($0.isASCII && ($0.isLetter || $0.isNumber)) }),
        ]
        let isHexadecimal = text.allSatisfy(\.isHexDigit)
        let size = kinds.filter { text.contains(where: $0.has) }.reduce(0) { $0 + $1.size }
        return log2(isHexadecimal ? min(size, 16) : max(size, 2))
    }
}
