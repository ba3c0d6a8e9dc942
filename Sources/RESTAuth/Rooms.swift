/// The one list of rooms: every room in it is served, stored, moved and tested.
package enum Rooms {
    /// All rooms; one with tables that others refer to comes before those.
    package static let all: [any Room.Type] = [
        UsersRoom.self,
        ProfilesRoom.self,
        ClientsRoom.self,
        SigningKeysRoom.self,
        SessionsRoom.self,
        RevocationsRoom.self,
        ThrottleRoom.self,
        RegistrationRoom.self,
        ImportRoom.self,
        FactorsRoom.self,
        PasskeysRoom.self,
        ServiceAccountsRoom.self,
        PersonalTokensRoom.self,
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

    /// All tables, each before those that refer to it.
    package static let tables = all.flatMap { $0.tables }
}

/// Storage of users, sessions, keys, revocations, clients, invitations and all else: what a backend
/// implements.
///
/// Each room states what it needs in a protocol of its own; a backend conforms to all of them.
/// Every method is one whole decision in one transaction, and durable when it returns: what was
/// acknowledged survives a crash and a power loss. Invariants are kept by constraints in the
/// database, never by a query before a write.
///
/// A method throws ``AuthError`` as its documentation says, and `storage_unavailable` when the
/// database cannot answer. `RESTAuthTesting` tests all of this.
public protocol Storage:
    UserStorage,
    ProfileStorage,
    ClientStorage,
    SigningKeyStorage,
    SessionStorage,
    RevocationStorage,
    ThrottleStorage,
    RegistrationStorage,
    ImportStorage,
    FactorStorage,
    PasskeyStorage,
    ServiceAccountStorage,
    ProgramTokenStorage,
    SignInStorage,
    EventStorage,
    AuditStorage,
    OutboxStorage
{
    /// Reads the secrets that lie beside the data, making one if there is none yet; `nil` when this
    /// backend has no place for them, so that the configuration must provide them.
    func instanceSecrets() throws -> InstanceSecrets?
}
