import Foundation

/// Passwords known from breaches, in a file that `rest-auth passwords filter` made.
///
/// ``PasswordPolicy/nist`` refuses them. The file is mapped into memory and read on this machine:
/// nothing about a password leaves it. To renew the file, put another in its place by renaming, as
/// the command does; writing into it under a running process is not safe.
public struct BreachedPasswords: Sendable {
    private let filter: PasswordFilter

    /// Opens the file and reads it once, to see that it is intact.
    /// - Throws: ``AuthError/Code/misconfigured`` for a file that cannot be read, is damaged or is
    ///   of another kind.
    public init(file: String) throws(AuthError) {
        try self.init(file: file, checksContents: true)
    }

    /// - Parameter checksContents: whether to read the whole file, which takes seconds with many
    ///   hundred million passwords.
    package init(file: String, checksContents: Bool) throws(AuthError) {
        func unusable(_ reason: String) -> AuthError {
            AuthError(.misconfigured, "the list of breached passwords \(file) \(reason)")
        }
        let again = "make it again: rest-auth passwords filter LIST --output \(file)"
        do {
            _ = try RegularFile(file)
        } catch {
            throw unusable("cannot be read: \(error.reason); \(again)")
        }
        guard let bytes = try? Data(contentsOf: URL(fileURLWithPath: file), options: .alwaysMapped) else {
            throw unusable("cannot be read; \(again)")
        }
        do {
            filter = try PasswordFilter(bytes)
            if checksContents { try filter.checkContents() }
        } catch {
            switch error {
            case .foreign: throw unusable("is no such list; \(again)")
            case .newer: throw unusable("was made by another version; \(again)")
            case .damaged: throw unusable("is damaged; \(again)")
            }
        }
    }

    /// The number of passwords that went into the file.
    public var count: Int { filter.count }

    /// The number of passwords not in the list of which one is taken for one that is.
    public var falsePositiveInterval: Int { filter.falsePositiveInterval }

    /// Whether the list has a password, as it is or in lower case.
    public func contains(_ password: String) -> Bool {
        filter.contains(.init(password: password.utf8)) || filter.contains(.init(password: password.lowercased().utf8))
    }
}
