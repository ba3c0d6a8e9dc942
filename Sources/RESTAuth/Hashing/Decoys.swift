import Foundation
package import PasswordHashing
import ServiceLifecycle
import Synchronization

/// Hashes that the passwords for unknown users are compared with, so that they take as long as
/// those of users.
///
/// Stored hashes are not all of one kind: imported ones keep their cost until their users sign in.
/// So a name that no user has is given one of the kinds in use, always the same for the same name,
/// and over all names as many of each kind as users have. Salts and digests are random
/// (``PasswordHash/decoy()``): for a name that no user has, no user's hash is compared.
package final class Decoys: Service {
    private let storage: any Storage
    /// The hash of a random password, at the present cost.
    private let own: PasswordHash
    private let limit: HashLimit
    private let pepper: PasswordPepper?
    private let secrets: InstanceSecrets
    /// The decoys, sorted by their cost and shape, so that a name changes its kind at most once
    /// when a kind is no longer in use.
    private let sample = Mutex<[PasswordHash]>([])

    private static let sampleSize = 200

    init(
        storage: any Storage, cost: Argon2id, limit: HashLimit, pepper: PasswordPepper?, secrets: InstanceSecrets
    ) throws {
        self.storage = storage
        self.limit = limit
        self.pepper = pepper
        guard let hash = PasswordHash(try cost.hash(Random.bytes(32))) else {
            throw PasswordHashingError.unavailable
        }
        own = hash
        self.secrets = secrets
    }

    /// Runs until graceful shutdown.
    func run() async throws {
        try await every(.seconds(600), "the kinds of stored passwords could not be looked at") { try await update() }
    }

    package func update() async throws {
        let hashes = try await storage.passwordHashes(sampling: Self.sampleSize).compactMap(PasswordHash.init)
            .filter { limit.admits($0.cost) && $0.isVerifiable(with: pepper) }
        // The order depends on the hashes alone, the most expensive first, and not on the ids of
        // their users.
        let sorted = hashes.sorted { ($0.cost.milliseconds, $0.shape) > ($1.cost.milliseconds, $1.shape) }
        let decoys = sorted.map { $0.decoy() }
        sample.withLock { $0 = decoys }
    }

    /// The decoy of a name; for text that cannot be a name, the one of the present cost.
    package func hash(for name: Username?) -> PasswordHash {
        guard let name else { return own }
        let code = secrets.known.present.code(of: Array(name.canonical.utf8), for: "decoys")
        let place = code.prefix(4).reduce(0) { $0 << 8 | Int($1) }
        return sample.withLock { sample in sample.isEmpty ? own : sample[(place * sample.count) >> 32] }
    }
}
