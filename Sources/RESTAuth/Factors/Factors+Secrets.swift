// The secrets of factors while the instance's secret is changed: those of authenticator apps, and
// the keys of recovery codes.

extension Factors {
    /// Counts the secrets of all factors, and those that cannot be decrypted any more once the
    /// previous secret is dropped.
    package func countSecrets() async throws -> (all: Int, ofPrevious: Int) {
        var ofPrevious = 0
        let known = secrets.known
        try await forEachUnmarked(by: known) { _, under in if under == known.previous?.id { ofPrevious += 1 } }
        return (try await storage.countFactorSecrets(), ofPrevious)
    }

    /// Encrypts the secrets of factors under the present secret of the instance. Can be interrupted
    /// and repeated.
    /// - Returns: the number of newly encrypted secrets; 0 without a previous secret.
    package func reseal() async throws -> Int {
        var count = 0
        let known = secrets.known
        try await forEachUnmarked(by: known) { secret, _ in
            if try await secret.reseal(known, storage) { count += 1 }
        }
        return count
    }

    /// A secret in a row, which was decrypted.
    private enum Opened {
        case totp(StoredTOTP, TOTPSecret)
        case recoveryKey(StoredRecoveryKey, RecoveryKey)

        func reseal(_ secrets: KnownSecrets, _ storage: any Storage) async throws -> Bool {
            switch self {
            case .totp(let stored, let secret):
                let sealed = try secret.sealed(for: stored.id, of: stored.userID, by: secrets)
                return try await storage.replaceSealedTOTP(id: stored.id, stored.sealed, with: sealed)
            case .recoveryKey(let stored, let key):
                let sealed = try key.sealed(for: stored.userID, by: secrets)
                return try await storage.replaceSealedRecoveryKey(of: stored.userID, stored.sealed, with: sealed)
            }
        }
    }

    /// Runs `body` on all secrets that do not begin with the mark of the present secret; on none
    /// without a previous secret. Those that no known secret decrypts are left out: nothing here
    /// makes them good again, and nothing more is lost with the previous secret.
    private func forEachUnmarked(
        by known: KnownSecrets, _ body: (_ secret: Opened, _ under: SecretID) async throws -> Void
    ) async throws {
        guard known.previous != nil else { return }
        let mark = known.maker.mark
        try await forEach {
            try await storage.sealedTOTP(notMarked: mark, after: $0?.id ?? "", limit: $1)
        } _: { stored in
            guard let (secret, id) = TOTPSecret.opened(stored.sealed, for: stored.id, of: stored.userID, by: known)
            else { return }
            try await body(.totp(stored, secret), id)
        }
        try await forEach {
            try await storage.sealedRecoveryKeys(notMarked: mark, after: $0?.userID ?? 0, limit: $1)
        } _: { stored in
            guard let (key, id) = RecoveryKey.opened(stored.sealed, for: stored.userID, by: known) else { return }
            try await body(.recoveryKey(stored, key), id)
        }
    }

    /// Runs `body` on all, a page after the other.
    private func forEach<Element>(
        _ page: (_ after: Element?, _ limit: Int) async throws -> [Element], _ body: (Element) async throws -> Void
    ) async throws {
        var last: Element?
        while case let elements = try await page(last, 1000), !elements.isEmpty {
            for element in elements { try await body(element) }
            last = elements.last
        }
    }
}
