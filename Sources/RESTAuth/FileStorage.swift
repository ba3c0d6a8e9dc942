/// A storage in a file, which is made where there is none.
package protocol FileStorage: Storage {
    /// Closes it for good: everything is in the file itself then, and in none that lies beside it.
    func closeDatabase()

    /// Closes it for good. A file that was made when this was opened is taken away again, with the
    /// secret that was made for it, while nobody has put anything in and no other process has it
    /// open: after a failure there is what was there before.
    func abandon(_ secrets: InstanceSecrets?)
}
