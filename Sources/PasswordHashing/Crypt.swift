import CCrypt
import Foundation

/// libxcrypt, which computes crypt(3).
enum Crypt {
    /// The longest password that libxcrypt takes, in bytes.
    static let maximumBytes = Int(CRYPT_MAX_PASSPHRASE_SIZE) - 1
    /// The size of the work area that libxcrypt is given.
    static let memoryKiB = MemoryLayout<crypt_data>.size / 1024

    /// The text after `setting` in the hash of `password`; empty for a password that is too long.
    static func digest(of password: [UInt8], setting: String) throws(PasswordHashingError) -> [UInt8] {
        var area: UnsafeMutableRawPointer?
        var size: Int32 = 0
        defer { free(area) }
        // A longer password is always wrong, but must not take less time than another.
        let phrase = password.prefix(maximumBytes).map { CChar(bitPattern: $0) } + [0]
        errno = 0
        guard let output = crypt_ra(phrase, setting, &area, &size) else {
            throw errno == ENOMEM ? .outOfMemory : .unavailable
        }
        let hash = Array(UnsafeRawBufferPointer(start: output, count: strlen(output)))
        // Output that begins with an asterisk is no hash.
        guard password.count <= maximumBytes, hash.starts(with: setting.utf8) else { return [] }
        return Array(hash.dropFirst(setting.utf8.count))
    }
}
