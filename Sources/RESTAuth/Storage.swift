/// Where users, sessions, keys, revocations, clients and invitations are kept: the one thing a
/// backend is.
///
/// Each room states what it needs from rows in a slice of its own; a backend promises all of them.
/// Every method is one whole decision in one transaction, and durable when it returns: what was
/// acknowledged survives a crash and a loss of power. Invariants are kept by constraints in the
/// database, never by a look before a write.
///
/// A method throws ``AuthError`` for what its documentation names, and `storage_unavailable` when
/// the database cannot answer. `RESTAuthTesting` has the same promises as tests.
public protocol Storage: UserStorage, SessionStorage, SigningKeyStorage, RevocationStorage, ClientStorage,
    ThrottleStorage,
    RegistrationStorage, ImportStorage, EventStorage, AuditStorage, OutboxStorage
{
    /// The secrets that lie beside the data, one made when there is none yet; `nil` when this
    /// backend has no place of its own for them and the configuration must bring them.
    func instanceSecrets() throws -> InstanceSecrets?
}

/// A storage in a file, which is made where there is none.
package protocol FileStorage: Storage {
    /// Closes it for good. A file that was made when this was opened is taken away again, with the
    /// secret that was made for it, while nobody has put anything in and no other process has it
    /// open: after a failure there is what was there before.
    func abandon(_ secrets: InstanceSecrets?)
}
