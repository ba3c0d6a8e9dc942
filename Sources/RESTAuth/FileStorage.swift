/// A storage in a file, which is made when it is missing.
package protocol FileStorage: Storage {
    /// Closes the database for good. Everything is in the file itself then, and in no file beside
    /// it.
    func closeDatabase()

    /// Closes the database for good and, if this storage made the file, removes it together with
    /// the secret that was made for it, unless something was stored in it or another process has it
    /// open. After a failed start everything is as it was before.
    func abandon(_ secrets: InstanceSecrets?)
}
