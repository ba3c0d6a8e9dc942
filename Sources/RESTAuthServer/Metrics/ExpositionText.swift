/// Prometheus' text format, version 0.0.4.
struct ExpositionText {
    static let mediaType = "text/plain; version=0.0.4; charset=utf-8"

    private(set) var text = ""

    mutating func begin(_ family: MetricFamily) {
        text += "# HELP \(family.name) \(Self.escaped(family.help))\n# TYPE \(family.name) \(family.kind.rawValue)\n"
    }

    mutating func add(_ name: String, _ labels: LabelText, _ value: Double) {
        text += "\(name)\(labels.braced) \(Self.number(value))\n"
    }

    /// A number in the syntax that Prometheus parses (Go's).
    static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value > 0 ? "+Inf" : "-Inf" }
        return Int64(exactly: value).map { "\($0)" } ?? "\(value)"
    }

    /// Escapes backslashes, line feeds and, on demand, quotes. Works on bytes, because Swift treats
    /// CR LF as one character.
    fileprivate static func escaped(_ text: String, quotes: Bool = false) -> String {
        var bytes: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\\"): bytes += #"\\"#.utf8
            case UInt8(ascii: "\n"): bytes += #"\n"#.utf8
            case UInt8(ascii: "\"") where quotes: bytes += #"\""#.utf8
            default: bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// The labels of a series in the text format, without braces.
struct LabelText: Hashable, Comparable, Sendable {
    private let text: String

    /// - Parameter labels: names and values, with the names of the ``MetricFamily``.
    init(_ labels: [(String, String)]) {
        text = labels.map { name, value in
            "\(name)=\"\(ExpositionText.escaped(value, quotes: true))\""
        }.joined(separator: ",")
    }

    private init(text: String) { self.text = text }

    func adding(_ name: String, _ value: String) -> LabelText {
        let label = LabelText([(name, value)]).text
        return LabelText(text: text.isEmpty ? label : "\(text),\(label)")
    }

    var braced: String { text.isEmpty ? "" : "{\(text)}" }

    static func < (one: LabelText, other: LabelText) -> Bool { one.text < other.text }
}
