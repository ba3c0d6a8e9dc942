/// The hashing of passwords, a limited number at a time.
package enum HashingRoom: Room {
    package static let name = "hashing"

    package static let events: [AuthEvent.Name] = [.hashingOverloaded]
}

extension AuthEvent.Name {
    public static let hashingOverloaded = Self("hashing.overloaded", level: .notice, isDurable: false)
}
