/// The 64 digits that crypt(3) and its kin write six bits with. bcrypt orders them otherwise, and
/// begins with the high bits where the others begin with the low ones.
struct CryptDigits {
    static let crypt = CryptDigits(
        "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", beginsHigh: false)
    static let bcrypt = CryptDigits(
        "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", beginsHigh: true)

    private let digits: [UInt8]
    /// Of each byte, where it is a digit.
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

    /// That of the low six bits.
    func digit(_ value: Int) -> UInt8 { digits[value & 0x3F] }

    /// Whether `text` is the one spelling of so many bytes: the bits that its last digit does not
    /// need are zero.
    func canSpell(_ text: ArraySlice<UInt8>, bytes: Int) -> Bool {
        guard text.count == (bytes * 8 + 5) / 6, text.allSatisfy({ value(of: $0) != nil }),
            let last = text.last.flatMap(value)
        else {
            return false
        }
        return last == used(last, spelling: bytes)
    }

    /// Of the last of the digits that spell so many bytes, the bits that it needs.
    private func used(_ last: Int, spelling bytes: Int) -> Int {
        let spare = (6 - bytes * 8 % 6) % 6
        return last & (beginsHigh ? 0x3F << spare : 0x3F >> spare)
    }

    /// As many digits, at random, which spell so many bytes where that is asked for. None of none.
    func scrambled(_ text: [UInt8], spelling bytes: Int? = nil) -> [UInt8] {
        var values = Random.bytes(text.count).map { Int($0 & 0x3F) }
        if let bytes, let last = values.popLast() { values.append(used(last, spelling: bytes)) }
        return values.map(digit)
    }

    /// The digits of `bytes` in groups of three, the low bits first.
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
