import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import RESTAuth

/// The answer to an import, written while the body comes: a line for each user, and a last one with
/// the counts. If anything ends the import before, the last line says what, beside the counts.
struct ImportAnswer: Sendable {
    let importing: StreamedImport
    let request: Request
    /// `nil` where the end of a body is known by its length alone.
    let body: LongBody?
    /// Throws when who sends the body may import no more.
    let check: @Sendable () async throws -> Void

    func write(to writer: inout any ResponseBodyWriter) async throws {
        let queue = LineQueue()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await read(into: queue) }
            defer {
                queue.close()
                group.cancelAll()
            }
            var counts = ImportCounts()
            do {
                while case let lines = try await queue.next(), !lines.isEmpty {
                    try await check()
                    let notes = try await importing.run(lines)
                    for note in notes { counts.add(note) }
                    try await writer.write(ByteBuffer(bytes: notes.flatMap { $0.json.bytes + [0x0A] }))
                }
                try await writer.write(Self.lastLine(counts))
            } catch {
                try await writer.write(Self.lastLine(counts, because: Problem(error, request: request)))
                let isOurs = Problem(error, request: request).status.kind == .serverError
                if isOurs { Logger.current.error("an import ended early", metadata: ["error": "\(error)"]) }
            }
        }
    }

    /// Reads the body to its end, or until nobody takes its lines any more.
    private func read(into queue: LineQueue) async {
        var (splitter, count): (LineSplitter, Int64) = (LineSplitter(), 0)
        do {
            for try await piece in request.body {
                count += Int64(piece.readableBytes)
                let ended = splitter.take(piece.readableBytesView)
                let lines = ended.filter { !$0.isBlank }
                if lines.isEmpty, !ended.isEmpty {
                    // Blank lines are no work, and would keep the import going for nobody.
                    do { try await check() } catch { return queue.finish(error) }
                }
                guard await queue.put(lines) else { return }
            }
            let announced = request.headers[.contentLength].map { WireText($0).decimalNumber ?? .max } ?? 0
            guard body?.hasEnded ?? true, count >= announced else { return queue.finish(Self.incomplete) }
            if let last = splitter.end(), !last.isBlank { _ = await queue.put([last]) }
            queue.finish()
        } catch {
            queue.finish(Self.incomplete)
        }
    }

    private static let incomplete = Problem(
        .badRequest, code: "bad_request", detail: "The body broke off before its end, or its next line took too long.")

    private static func lastLine(_ counts: ImportCounts, because problem: Problem? = nil) -> ByteBuffer {
        let error = problem.map { problem in
            JSON.Member(
                name: "error", value: ["code": .string(problem.code), "detail": .string(problem.detail)])
        }
        let done = JSON.Member(name: "done", value: .bool(error == nil))
        let members = [done] + counts.members + [error].compactMap(\.self)
        return ByteBuffer(bytes: JSON.object(members).bytes + [0x0A])
    }
}
