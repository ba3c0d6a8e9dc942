/// The rule for names of new users, imported ones among them, and new names of users.
package struct NewNames: Sendable {
    /// Whether users sign in with their addresses, so that no new name may look like one.
    let refusingAddresses: Bool

    package init(refusingAddresses: Bool) { self.refusingAddresses = refusingAddresses }

    /// - Throws: `validation_failed` for what is no ``Username``, and for what looks like a mail
    ///   address where users sign in with theirs.
    func username(_ text: String) throws(AuthError) -> Username {
        let name = try Username(text)
        guard !takesForAddress(name) else {
            throw AuthError(
                .validationFailed, "username has an @, which only mail addresses have here", field: "username")
        }
        return name
    }

    /// Whether a name would be taken for a mail address.
    func takesForAddress(_ name: Username) -> Bool {
        refusingAddresses && name.canonical.utf8.contains(UInt8(ascii: "@"))
    }
}
