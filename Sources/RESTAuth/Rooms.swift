/// The one list of rooms: who is in it is served, kept, moved and tested with all others.
package enum Rooms {
    /// Whoever has tables that others refer to comes before them.
    package static let all: [any Room.Type] = [
        UsersRoom.self,
        ClientsRoom.self,
        SigningKeysRoom.self,
        SessionsRoom.self,
        RevocationsRoom.self,
        ThrottleRoom.self,
        RegistrationRoom.self,
        ImportRoom.self,
        EventsRoom.self,
        AuditRoom.self,
        OutboxRoom.self,
        PasswordsRoom.self,
        HashingRoom.self,
        LoginRoom.self,
        AccessTokensRoom.self,
        SecretsRoom.self,
        TransferRoom.self,
    ]

    /// Every table, whoever is referred to before those who refer.
    package static let tables = all.flatMap { $0.tables }
}

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
public protocol Storage:
    UserStorage,
    ClientStorage,
    SigningKeyStorage,
    SessionStorage,
    RevocationStorage,
    ThrottleStorage,
    RegistrationStorage,
    ImportStorage,
    SignInStorage,
    EventStorage,
    AuditStorage,
    OutboxStorage
{
    /// The secrets that lie beside the data, one made when there is none yet; `nil` when this
    /// backend has no place of its own for them and the configuration must bring them.
    func instanceSecrets() throws -> InstanceSecrets?
}
