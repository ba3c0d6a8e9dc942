import Foundation
import PasswordHashing
import RESTAuth
import Support
import Testing

/// A hash of another system, made by `Tests/Scripts/foreign_hashes.py`.
struct ForeignHashVector: Decodable, Sendable {
    let maker: String
    let password: String
    let hash: String
    let strength: String
    let pepper: String?
    let construction: String?

    static func all() throws -> [ForeignHashVector] { try loaded.get() }
    private static let loaded = Result { try PasswordHashVector.load([ForeignHashVector].self, "foreign-hashes") }

    func peppers() throws -> (pepper: PasswordPepper, use: PepperUse)? {
        guard let pepper, let construction = construction.flatMap(PasswordPepper.Construction.init) else { return nil }
        let known = try #require(try PasswordPepper(Array(pepper.utf8)))
        return (known, PepperUse(construction, of: known))
    }
}
