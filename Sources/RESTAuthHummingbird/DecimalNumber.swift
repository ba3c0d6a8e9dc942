/// A number as it stands in a path or a query: digits and nothing else.
func decimalNumber(_ text: some StringProtocol) -> Int64? {
    text.utf8.allSatisfy { $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") } ? Int64(text) : nil
}
