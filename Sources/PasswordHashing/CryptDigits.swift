/// The 64 digits with which crypt(3) and related schemes write six bits each. bcrypt has them in
/// another order, and begins with the high bits where the others begin with the low ones.
struct CryptDigits {
    static let crypt = CryptDigits(
        "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", beginsHigh: false)
    static let bcrypt = CryptDigits(
        "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", beginsHigh: true)

    private let digits: [UInt8]
    /// The value of each byte that is a digit; the byte is the index.
    private let values: [Int?]
    private let beginsHigh: Bool

    private init(_ digits: String, beginsHigh: Bool) {
        self.digits = Array(digits.utf8)
        var values = [Int?](repeating: nil, count: 256)
        for (value, digit) in self.digits.enumerated() { values[Int(digit)] = value }
        self.values = values
        self.beginsHigh = beginsHigh
    }

    func value(of digit: UInt8) -> Int? { values[Int(digit)] }

    /// The digit of the low six bits of `value`.
    func digit(_ value: Int) -> UInt8 { digits[value & 0x3F] }

    /// Whether `text` is the one spelling of that number of bytes: the unused bits of its last
    /// digit are zero.
    func canSpell(_ text: ArraySlice<UInt8>, bytes: Int) -> Bool {
        guard text.count == (bytes * 8 + 5) / 6, text.allSatisfy({ value(of: $0) != nil }),
            let last = text.last.flatMap(value)
        else {
            return false
        }
        return last == used(last, spelling: bytes)
    }

    /// The used bits of the last digit, when the digits spell that number of bytes.
    private func used(_ last: Int, spelling bytes: Int) -> Int {
        let spare = (6 - bytes * 8 % 6) % 6
        return last & (beginsHigh ? 0x3F << spare : 0x3F >> spare)
    }

    /// Random digits, as many as `text` has. With `bytes` they spell that number of bytes: the
    /// unused bits of the last digit are zero. Empty when `text` is.
    func scrambled(_ text: [UInt8], spelling bytes: Int? = nil) -> [UInt8] {
        var values = Random.bytes(text.count).map { Int($0 & 0x3F) }
        if let bytes, let last = values.popLast() { values.append(used(last, spelling: bytes)) }
        return values.map(digit)
    }

    /// The digits of `bytes` in groups of three bytes, the low bits first.
    func spell(_ bytes: [UInt8]) -> [UInt8] {
        var text: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            let value = group.reversed().reduce(0) { $0 << 8 | Int($1) }
            for digit in 0...group.count { text.append(digits[value >> (6 * digit) & 0x3F]) }
        }
        return text
    }
}
