import Foundation
import RESTAuth
import Synchronization

/// The revocation log in its wire form, in memory, so that an entry is read and encoded once, not
/// for each request.
///
/// Before each answer the log is read for new entries. All requests that come during a read share
/// the next one, so that none is told less than was committed when it came, and many cost the
/// database no more than one. When the log cannot be read, the request fails.
final class RevocationList: Sendable {
    /// The number of entries in memory, about 100 bytes each. Older ones are read from the
    /// database.
    private static let capacity = 100_000

    private let auth: Auth
    private let state = Mutex(State())

    fileprivate struct State {
        /// The sequence number after which all entries are in memory; `nil` before the first read
        /// of the log.
        var start: Int64?
        var blocks: [RevocationBlock] = []
        var last: Revocation?
        /// The read of the log that has begun, and the one after it.
        var current: Task<Void, any Error>?
        var next: Task<Void, any Error>?

        /// Takes over entries as the log has them, from the last known one on.
        /// - Returns: whether there may be more.
        mutating func take(_ lines: [Revocation], keys: (User.ID) -> [RoleKey], at now: Date) -> Bool {
            if let last, lines.first != last {
                // The last known entry is gone: a backup was restored, or the entry has expired and
                // was deleted.
                (start, blocks, self.last) = (nil, [], nil)
                return true
            }
            for line in lines.dropFirst(last == nil ? 0 : 1) {
                if blocks.last?.isFull != false { blocks.append(RevocationBlock()) }
                blocks[blocks.count - 1].append(line, keys: keys)
            }
            last = lines.last ?? last
            while blocks.count > RevocationList.capacity / Auth.revocationPageSize, let end = blocks.first?.end {
                start = end
                blocks.removeFirst()
            }
            // Their entries have all expired, so they refuse no live token.
            blocks.removeAll { $0.expiresAt < now }
            return lines.count == Auth.revocationPageSize
        }
    }

    init(auth: Auth) {
        self.auth = auth
    }

    /// The entries with sequence numbers greater than `number`, a thousand at most.
    func page(after number: Int64) async throws -> RevocationPage {
        try await look()
        if let page = state.withLock({ $0.page(after: number) }) { return page }
        let (entries, last) = try await auth.revocations(after: number)
        var block = RevocationBlock()
        for entry in entries { block.append(entry, keys: auth.accessTokens.roleKeys) }
        return RevocationPage(block, after: number, last: last)
    }

    // MARK: Reading the log

    /// Reads the log for new entries. A read that has begun may miss what was written since, so the
    /// next one counts.
    private func look() async throws {
        let look = state.withLock { state in
            if let next = state.next { return next }
            let current = state.current
            let look = Task {
                _ = await current?.result
                self.state.withLock { ($0.current, $0.next) = ($0.next, nil) }
                defer { self.state.withLock { $0.current = nil } }
                try await self.read()
            }
            state.next = look
            return look
        }
        try await look.value
    }

    private func read() async throws {
        var mayBeMore = true
        while mayBeMore {
            var known = state.withLock { state in state.last.map { $0.number - 1 } ?? state.start }
            if known == nil {
                let start = max(0, try await auth.revocations(after: .max).last - Int64(Self.capacity))
                state.withLock { $0.start = start }
                known = start
            }
            let entries = try await auth.revocations(after: known ?? 0).entries
            mayBeMore = state.withLock {
                $0.take(entries, keys: auth.accessTokens.roleKeys, at: auth.configuration.now())
            }
        }
    }
}

extension RevocationList.State {
    /// The page from memory; `nil` where only the database has it.
    fileprivate func page(after number: Int64) -> RevocationPage? {
        guard let start, let last, number >= start, number <= last.number else { return nil }
        guard let block = blocks.first(where: { $0.end > number }) else {
            return RevocationPage(RevocationBlock(), after: number, last: number)
        }
        return RevocationPage(block, after: number, last: block.end)
    }
}
