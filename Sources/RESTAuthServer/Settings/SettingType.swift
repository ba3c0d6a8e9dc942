import Foundation
import RESTAuth

/// The syntax of a setting's values, and the check of which are accepted.
struct SettingType<Value: Sendable>: Sendable {
    /// Placeholder for the value in help texts.
    let placeholder: String
    /// The accepted values in words: "a whole number from 1 to 10".
    let range: String
    /// Writes a value as it is written in a setting.
    let text: @Sendable (Value) -> String
    /// Hides secret parts of the written value.
    var shown: @Sendable (String) -> String = { $0 }
    /// The kind of the value for programs that read it.
    var form = SettingForm.text
    /// - Throws: `misconfigured`, with the place the value came from and what is accepted.
    let read: @Sendable (SettingsSource.Found) throws(AuthError) -> Value
}

/// The kind of a setting's value for programs: a text, a whole number, a quantity in a unit, or yes
/// and no.
enum SettingForm: Sendable {
    case text, count, flag
    case quantity(NumberUnit)
}

extension SettingType {
    /// The same type, of another form.
    fileprivate func of(_ form: SettingForm) -> Self {
        var type = self
        type.form = form
        return type
    }

    /// - Parameters:
    ///   - hint: text after the range in the message about a refused value.
    ///   - parse: returns `nil` for a value that is not in the range.
    init(
        _ placeholder: String, _ range: String, hint: String = "", text: @escaping @Sendable (Value) -> String,
        parse: @escaping @Sendable (String) -> Value?
    ) {
        self.init(placeholder: placeholder, range: range, text: text) { found throws(AuthError) in
            guard let value = parse(found.value) else { throw found.refused("must be \(range)\(hint)") }
            return value
        }
    }

    /// The same type for a field that is `nil` by default. No value makes it `nil`; the setting
    /// describes its default in words.
    var optional: SettingType<Value?> {
        let (text, read) = (text, read)
        return SettingType<Value?>(
            placeholder: placeholder, range: range, text: { $0.map(text) ?? "none" }, shown: shown, form: form
        ) { found throws(AuthError) in try read(found) }
    }

    /// The same type, with a word that means `nil`, and synonyms of that word.
    func or(_ word: String, _ synonyms: String...) -> SettingType<Value?> {
        let (text, read) = (text, read)
        let rule = "\(range), or \(word)"
        return SettingType<Value?>(
            placeholder: "\(placeholder)|\(word)", range: rule, text: { $0.map(text) ?? word }, shown: shown, form: form
        ) { found throws(AuthError) in
            guard ![[word], synonyms].joined().contains(found.value.lowercased()) else { return nil }
            do throws(AuthError) {
                return try read(found)
            } catch {
                throw found.refused("must be \(rule)")
            }
        }
    }
}

extension SettingsSource.Found {
    /// - Parameter rule: what the value must be, or what is wrong with it.
    func refused(_ rule: String) -> AuthError { AuthError(.misconfigured, "\(place) is \"\(shown)\" and \(rule)") }

    /// Puts the place before the detail of an error that `body` throws.
    func explaining<Value>(_ body: () throws(AuthError) -> Value) throws(AuthError) -> Value {
        do throws(AuthError) {
            return try body()
        } catch {
            throw AuthError(.misconfigured, "\(place): \(error.detail)")
        }
    }

    /// The parts between commas, without blanks around them and without empty ones.
    var list: [String] {
        value.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
    }
}

// MARK: - Numbers

extension SettingType<Int> {
    static func count(in range: ClosedRange<Int>, of placeholder: String = "count") -> Self {
        SettingType(
            placeholder, "a whole number from \(range.lowerBound) to \(range.upperBound)", text: { "\($0)" }
        ) { text in
            Int(text).flatMap { range.contains($0) ? $0 : nil }
        }.of(.count)
    }

    static func duration(in range: ClosedRange<Int>, _ unit: NumberUnit = .seconds) -> Self {
        quantity("duration", in: range, unit)
    }

    static func size(in range: ClosedRange<Int>, _ unit: NumberUnit = .bytes) -> Self {
        quantity("size", in: range, unit)
    }

    private static func quantity(_ noun: String, in range: ClosedRange<Int>, _ unit: NumberUnit) -> Self {
        let (least, most) = (unit.text(range.lowerBound), unit.text(range.upperBound))
        let words = "a \(noun) from \(least) to \(most); a bare number counts \(unit.name)"
        let hint = ", and the units are \(unit.symbols.joined(separator: ", "))"
        return SettingType(noun, words, hint: hint, text: unit.text) { text in
            unit.number(text).flatMap { range.contains($0) ? $0 : nil }
        }.of(.quantity(unit))
    }
}

// MARK: - Words

extension SettingType<Bool> {
    static let flag = SettingType("yes|no", "yes or no", text: { $0 ? "yes" : "no" }) { text in
        switch text.lowercased() {
        case "yes", "true", "on", "1": true
        case "no", "false", "off", "0": false
        default: nil
        }
    }.of(.flag)
}

extension SettingType where Value: RawRepresentable<String> & CaseIterable {
    static var choice: Self {
        let words = Value.allCases.map(\.rawValue)
        return SettingType(
            words.joined(separator: "|"), "one of \(words.joined(separator: ", "))", text: \.rawValue
        ) { text in
            Value.allCases.first { $0.rawValue.lowercased() == text.lowercased() }
        }
    }
}

extension SettingType<String> {
    static func text(_ placeholder: String, _ range: String) -> Self {
        SettingType(placeholder, range, text: \.self) { $0.isEmpty ? nil : $0 }
    }

    static let file = text("file", "the path of a file")
}

extension SettingType where Value: RangeReplaceableCollection {
    /// The same type with the word `none` for the empty value, which is the default.
    var orNone: Self {
        let (text, read) = (text, read)
        return SettingType(
            placeholder: "\(placeholder)|none", range: "\(range), or none",
            text: { $0.isEmpty ? "none" : text($0) }, shown: shown
        ) { found throws(AuthError) in found.value.lowercased() == "none" ? Value() : try read(found) }
    }
}

extension SettingType<[String]> {
    /// A list of texts with commas between them.
    /// - Parameter check: throws an error that says what is wrong with the parts.
    static func list(
        _ placeholder: String, _ range: String,
        check: @escaping @Sendable ([String], SettingsSource.Found) throws(AuthError) -> Void
    ) -> Self {
        SettingType(placeholder: placeholder, range: range, text: { $0.joined(separator: ",") }) {
            found throws(AuthError) in
            let parts = found.list
            try check(parts, found)
            return parts
        }
    }
}
