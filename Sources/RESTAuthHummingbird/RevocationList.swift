import Foundation
import RESTAuth
import Synchronization

/// The log of revocations as it goes over the wire, in memory: a line is read and written once, and
/// not for everyone who asks for it.
///
/// Before each answer the log is asked for what is new. All who come while it is asked share the
/// next time, so that nobody is told less than was known when they asked, and many who ask cost the
/// database no more than one. What cannot be asked is not answered.
final class RevocationList: Sendable {
    /// How many lines are kept, about 100 bytes each. Older ones are read from the database.
    private static let capacity = 100_000

    private let auth: Auth
    private let state = Mutex(State())

    fileprivate struct State {
        /// The lines with greater numbers are here; `nil` before the log was first read.
        var start: Int64?
        var blocks: [RevocationBlock] = []
        var last: Revocation?
        /// The look into the log that has begun, and the one after it.
        var current: Task<Void, any Error>?
        var next: Task<Void, any Error>?

        /// Takes lines from the last one on, as the log has them.
        /// - Returns: whether there may be more.
        mutating func take(_ lines: [Revocation], keys: (User.ID) -> [RoleKey], at now: Date) -> Bool {
            if let last, lines.first != last {
                // The log may be another: a backup was put back, or the line was swept.
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
            // These concern nobody any more, so that they are not there.
            blocks.removeAll { $0.expiresAt < now }
            return lines.count == Auth.revocationPageSize
        }
    }

    init(auth: Auth) {
        self.auth = auth
    }

    /// The lines with numbers greater than `number`, a thousand at most.
    func page(after number: Int64) async throws -> RevocationPage {
        try await look()
        if let page = state.withLock({ $0.page(after: number) }) { return page }
        let (entries, last) = try await auth.revocations(after: number)
        var block = RevocationBlock()
        for entry in entries { block.append(entry, keys: auth.accessTokens.roleKeys) }
        return RevocationPage(block, after: number, last: last)
    }

    // MARK: Reading the log

    /// Looks into the log. A look that has begun may miss what was written since: then it is the
    /// next one that counts.
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
    /// `nil` where only the database knows.
    fileprivate func page(after number: Int64) -> RevocationPage? {
        guard let start, let last, number >= start, number <= last.number else { return nil }
        guard let block = blocks.first(where: { $0.end > number }) else {
            return RevocationPage(RevocationBlock(), after: number, last: number)
        }
        return RevocationPage(block, after: number, last: block.end)
    }
}
