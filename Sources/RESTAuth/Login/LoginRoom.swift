/// The check of credentials, which gives an identity.
package enum LoginRoom: Room {
    package static let name = "login"

    package static let events: [AuthEvent.Name] = [
        .loginContinued, .loginFailed, .loginStuffed, .loginSucceeded, .loginThrottled,
    ]
}

extension AuthEvent.Name {
    /// A password was right, and another factor is asked for.
    public static let loginContinued = Self("login.continued", isDurable: false)
    public static let loginFailed = Self("login.failed", level: .notice, isDurable: false)
    /// Wrong passwords for many accounts from one network, or from many networks for one
    /// account.
    public static let loginStuffed = Self(
        "login.stuffed", logName: "credential_stuffing", level: .warning, shownToOwner: .yes(hasOrigin: false))
    public static let loginSucceeded = Self("login.succeeded", isDurable: false)
    /// A guess had to wait.
    public static let loginThrottled = Self("login.throttled", level: .notice, isDurable: false)
}
