public import Foundation

/// A passkey of a user: a key pair whose private half an authenticator holds (WebAuthn Level 3
/// section 4, credential record).
public struct Passkey: Sendable, Hashable, Identifiable {
    /// Id among the passkeys of its user, for paths and lists.
    public let id: String
    public let userID: User.ID
    /// Name that the user gave it.
    public let name: String
    /// Id by which the authenticator knows it.
    public let credentialID: [UInt8]
    /// Public key as the authenticator encoded it (COSE).
    public let publicKey: [UInt8]
    /// Signature counter of its last use; 0 for an authenticator without one.
    public let signCount: UInt32
    /// Whether it can be backed up, and so copied to other devices. That never changes.
    public let isBackupEligible: Bool
    public let isBackedUp: Bool
    /// Whether it has verified its user, by a PIN or a finger, when it was added or later beside
    /// another factor. Without that it does not sign in by itself.
    public let isUserVerified: Bool
    /// Model of the authenticator in 16 bytes, for which nobody vouches; zeros where it does not
    /// say.
    public let aaguid: [UInt8]
    /// Ways to reach the authenticator, as it named them.
    public let transports: [String]
    /// Whether it can be used without a user name; `nil` where the browser did not say.
    public let isDiscoverable: Bool?
    public let createdAt: Date
    public let lastUsedAt: Date?

    public init(
        id: String, userID: User.ID, name: String, credentialID: [UInt8], publicKey: [UInt8], signCount: UInt32,
        isBackupEligible: Bool, isBackedUp: Bool, isUserVerified: Bool, aaguid: [UInt8], transports: [String],
        isDiscoverable: Bool?, createdAt: Date, lastUsedAt: Date? = nil
    ) {
        self.id = id
        self.userID = userID
        self.name = name
        self.credentialID = credentialID
        self.publicKey = publicKey
        self.signCount = signCount
        self.isBackupEligible = isBackupEligible
        self.isBackedUp = isBackedUp
        self.isUserVerified = isUserVerified
        self.aaguid = aaguid
        self.transports = transports
        self.isDiscoverable = isDiscoverable
        self.createdAt = createdAt
        self.lastUsedAt = lastUsedAt
    }
}

extension Passkey {
    /// A passkey that was made just now.
    init(_ new: NewPasskey, id: Passkey.ID, of user: User.ID, named name: FactorName, at now: Date) {
        self.init(
            id: id, userID: user, name: name.text, credentialID: new.credentialID, publicKey: new.publicKey,
            signCount: new.signCount, isBackupEligible: new.isBackupEligible, isBackedUp: new.isBackedUp,
            isUserVerified: new.isUserVerified, aaguid: new.aaguid, transports: new.transports,
            isDiscoverable: new.isDiscoverable, createdAt: now)
    }

    /// Method that its use proves (RFC 8176): a key that can be copied is one in software.
    package var method: Authentication.Method { isBackupEligible ? .softwareKey : .hardwareKey }

    var descriptor: PasskeyDescriptor { PasskeyDescriptor(credentialID: credentialID, transports: transports) }
}

extension FactorDescription {
    init(_ passkey: Passkey) {
        self.init(id: passkey.id, kind: .passkey, name: passkey.name, method: passkey.method)
    }
}
