import Foundation
import RESTAuth

extension Caller {
    /// The user that runs this command, by the account of the operating system.
    static let commandLine = Caller(OperatorIdentity(account: account))

    private static var account: String {
        let user = geteuid()
        return getpwuid(user).flatMap { String(validatingCString: $0.pointee.pw_name) } ?? "\(user)"
    }
}
