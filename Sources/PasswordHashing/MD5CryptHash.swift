import Crypto

/// MD5 of crypt(3), `$1$SALT$DIGEST`, and Apache's, `$apr1$SALT$DIGEST`: 1000 rounds. It is too
/// fast to be stored as it is: it only occurs inside a ``WrappedHash``.
struct MD5CryptHash: SettingHash {
    let setting: String
    private let magic: [UInt8]
    private var salt: [UInt8]
    private(set) var digest: [UInt8]

    init?(_ text: HashText) {
        let isApaches = text.text.hasPrefix("$apr1$")
        guard let fields = text.fields(after: isApaches ? "$apr1$" : "$1$", count: 2),
            (1...8).contains(fields[0].count), fields[0].allSatisfy({ CryptDigits.crypt.value(of: $0) != nil }),
            fields[1].isEmpty || CryptDigits.crypt.canSpell(fields[1], bytes: 16)
        else { return nil }
        magic = Array((isApaches ? "$apr1$" : "$1$").utf8)
        (salt, digest) = (Array(fields[0]), Array(fields[1]))
        setting = String(text.text.dropLast(digest.count))
    }

    var scheme: PasswordHash.Scheme { .md5Crypt }
    var parameters: String { "rounds=\(rounds)" }
    var rounds: Int { 1000 }
    var memoryKiB: Int { 1 }

    func digests(of password: [UInt8]) -> [[UInt8]] {
        var input = password + magic + salt
        let inner = Array(Insecure.MD5.hash(data: password + salt + password))
        for start in stride(from: 0, to: password.count, by: 16) { input += inner.prefix(password.count - start) }
        // Each bit of the length selects a byte: zero, or the first one of the password.
        var length = password.count
        while length > 0 {
            input.append(length & 1 == 1 ? 0 : password.first ?? 0)
            length >>= 1
        }
        var digest = Array(Insecure.MD5.hash(data: input))
        for round in 0..<rounds {
            let isOdd = round & 1 == 1
            var input = isOdd ? password : digest
            if !round.isMultiple(of: 3) { input += salt }
            if !round.isMultiple(of: 7) { input += password }
            input += isOdd ? digest : password
            digest = Array(Insecure.MD5.hash(data: input))
        }
        // The order in which crypt(3) writes the bytes of the digest.
        let order = [12, 6, 0, 13, 7, 1, 14, 8, 2, 15, 9, 3, 5, 10, 4, 11]
        return [CryptDigits.crypt.spell(order.map { digest[$0] })]
    }

    func decoy() -> Self {
        var decoy = self
        decoy.salt = CryptDigits.crypt.scrambled(salt)
        decoy.digest = CryptDigits.crypt.scrambled(digest, spelling: 16)
        return decoy
    }
}
