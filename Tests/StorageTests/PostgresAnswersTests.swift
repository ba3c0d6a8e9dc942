import Foundation
import RESTAuth
import RESTAuthPostgres
import Support
import Synchronization
import Testing

/// A server, or a proxy before it, that answers wrongly: the result is an error, never a crash and
/// never another request's answer.
@Suite struct PostgresAnswersTests {
    let directory: TemporaryDirectory
    private let names = ["miguel", "susan", "david"]

    init() throws { directory = try TemporaryDirectory() }

    /// A storage with users, whose answers can be altered.
    private func makeStorage() async throws -> (storage: PostgresStorage, proxy: AlteringProxy) {
        let server = try await PostgresServer.shared()
        let url = try await directory.makePostgresDatabase()
        let proxy = try AlteringProxy(to: server)
        var configuration = PostgresConfiguration(url: proxy.url(PostgresServer.name(in: url)))
        configuration.timeout = 1
        configuration.writers = 1
        let storage = try await PostgresStorage(configuration)
        for name in names { _ = try await storage.insertUser(Username(name), passwordHash: "h", at: .now) }
        return (storage, proxy)
    }

    /// Sends many requests at once. Each answer must be about the user that was asked for.
    private func ask(_ storage: PostgresStorage, _ alteration: String) async {
        await withTaskGroup(of: Void.self) { group in
            for number in 0..<12 {
                group.addTask {
                    let id = Int64(number % 3 + 1)
                    if let user = try? await storage.user(id: id) { #expect(user.id == id, "\(alteration)") }
                    let name = names[number % 3]
                    if let found = try? await storage.credentials(canonicalUsername: name) {
                        #expect(found.user.username == name, "\(alteration)")
                    }
                    _ = try? await storage.revocations(after: 0, limit: 10)
                    _ = try? await storage.isSessionRevoked(Session.ID(at: .now))
                }
            }
            group.addTask {
                _ = try? await storage.insertUser(Username("new"), passwordHash: "h", at: .now)
                _ = try? await storage.disableUser(id: 3, at: .now)
                _ = try? await storage.grantRole("admin", user: 1, at: .now)
                _ = try? await storage.deleteUser(id: 99, at: .now)
            }
        }
    }

    /// Expects right answers after an alteration has ended.
    private func expectRight(_ storage: PostgresStorage, _ proxy: AlteringProxy, after alteration: String) async throws
    {
        proxy.alter(nil)
        try await wait(for: "right answers after \(alteration)") {
            guard let user = try? await storage.user(id: 2) else { return false }
            return user.username == "susan"
        }
        try await wait(for: "a write after \(alteration)") {
            (try? await storage.upgradePasswordHash("h", user: 1, replacing: "h")) == true
        }
    }

    @Test(arguments: WrongAnswer.allCases)
    func aWrongAnswerIsAnErrorAndNothingElse(_ wrong: WrongAnswer) async throws {
        let (storage, proxy) = try await makeStorage()
        defer { proxy.end() }
        await ask(storage, "nothing")
        for onlyOnce in [true, false] {
            let count = Atomic(0)
            proxy.alter { message in
                guard wrong.concerns(message) else { return message.bytes }
                let number = count.add(1, ordering: .relaxed).newValue
                return onlyOnce && number != 5 ? message.bytes : wrong.bytes(for: message)
            }
            await ask(storage, "\(wrong)")
            try await expectRight(storage, proxy, after: "\(wrong)")
        }
    }

    @Test func bytesThatAreTurnedEndNoProcess() async throws {
        let (storage, proxy) = try await makeStorage()
        defer { proxy.end() }
        for seed in 0..<UInt64(Soak.count(12, soak: 300)) {
            let random = Mutex(seed &* 0x9E37_79B9_7F4A_7C15 | 1)
            proxy.alter { message in
                var bytes = message.bytes
                let number = random.withLock { state in
                    state ^= state << 13
                    state ^= state >> 7
                    state ^= state << 17
                    return state
                }
                guard number % 11 == 0 else { return bytes }
                let place = Int((number >> 8) % 4096) % bytes.count
                if number % 3 == 0 { return Array(bytes[..<place]) }
                bytes[place] ^= UInt8(truncatingIfNeeded: number >> 40) | 1
                return bytes
            }
            _ = try? await storage.user(id: 1)
            async let reads = storage.revocations(after: 0, limit: 10)
            async let others = storage.users(after: 0, limit: 10)
            _ = try? await storage.upgradePasswordHash("h", user: 1, replacing: "h")
            _ = try? await (reads, others)
        }
        try await expectRight(storage, proxy, after: "turned bytes")
    }

    /// Notifications flood in, as when another client of a pooler left a connection that listens.
    @Test func whatNobodyListensToIsThrownAway() async throws {
        let (storage, proxy) = try await makeStorage()
        defer { proxy.end() }
        let flood = Array(repeatElement(WrongAnswer.notification, count: 20_000).joined())
        proxy.alter { message in message.is("Z") ? flood + message.bytes : message.bytes }
        for _ in 0..<20 { _ = try? await storage.user(id: 1) }
        try await expectRight(storage, proxy, after: "a flood")
    }

    /// PostgreSQL refuses a prepared statement whose plan would return other columns than before.
    @Test func aColumnWhoseTypeChangesUnderPreparedStatementsCostsNoAnswer() async throws {
        let server = try await PostgresServer.shared()
        let url = try await directory.makePostgresDatabase()
        let storage = try await PostgresStorage(PostgresConfiguration(url: url))
        let user = try await storage.insertUser(Username("miguel"), passwordHash: "h", at: .now)
        for type in ["varchar", "text", "varchar", "text"] {
            #expect(try await storage.user(id: user.id)?.username == "miguel")
            try await server.execute("ALTER TABLE users ALTER COLUMN username TYPE \(type)", at: url)
            #expect(try await storage.user(id: user.id)?.username == "miguel")
        }
    }
}

/// A wrong answer that replaces a right one.
enum WrongAnswer: CaseIterable {
    case noRow, doubledRow, shortRow, nullRow
    case noColumns, columnsAsText, noDescription
    case noCompletion, doubledCompletion, emptyQuery, suspended
    case noReady, doubledReady, readyAtOnce, readyTooSoon
    case copyIn, copyOut, copyBoth
    case statementUnknown, statementThere, planChanged, shuttingDown, errorWithoutFields
    case otherEncoding, manyNotices, unknownKind, endlessLength, authenticationAgain

    private var kind: Character {
        switch self {
        case .noRow, .doubledRow, .shortRow, .nullRow, .readyAtOnce: "D"
        case .noColumns, .columnsAsText, .noDescription: "T"
        case .noReady, .doubledReady, .otherEncoding, .manyNotices: "Z"
        case .statementThere: "1"
        case .statementUnknown, .readyTooSoon: "2"
        default: "C"
        }
    }

    func concerns(_ message: AlteringProxy.Message) -> Bool { message.is(kind) }

    static let ready = AlteringProxy.Message("Z", [UInt8(ascii: "I")]).bytes
    static let notification = AlteringProxy.Message("A", [0, 0, 0, 1] + Array("channel\0payload\0".utf8)).bytes

    private static func error(_ state: String) -> [UInt8] {
        AlteringProxy.Message("E", Array("SERROR\0C\(state)\0Mit is not so\0\0".utf8)).bytes
    }

    func bytes(for message: AlteringProxy.Message) -> [UInt8] {
        switch self {
        case .noRow, .noDescription, .noCompletion, .noReady: return []
        case .doubledRow, .doubledCompletion, .doubledReady: return message.bytes + message.bytes
        case .shortRow: return AlteringProxy.Message("D", [0, 0]).bytes
        case .nullRow:
            let count = message.body.prefix(2).reduce(0) { $0 << 8 | Int($1) }
            return AlteringProxy.Message(
                "D", Array(message.body.prefix(2)) + [UInt8](repeating: 0xFF, count: 4 * count)
            ).bytes
        case .noColumns: return AlteringProxy.Message("T", [0, 0]).bytes
        case .columnsAsText: return columnsAsText(message)
        case .emptyQuery: return AlteringProxy.Message("I").bytes
        case .suspended: return AlteringProxy.Message("s").bytes
        case .readyAtOnce, .readyTooSoon: return Self.ready + message.bytes
        case .copyIn: return AlteringProxy.Message("G", [0, 0, 0]).bytes
        case .copyOut: return AlteringProxy.Message("H", [0, 0, 0]).bytes
        case .copyBoth: return AlteringProxy.Message("W", [0, 0, 0]).bytes
        case .statementUnknown: return Self.error("26000")
        case .statementThere: return Self.error("42P05")
        case .planChanged: return Self.error("0A000")
        case .shuttingDown: return Self.error("57P01")
        case .errorWithoutFields: return AlteringProxy.Message("E", [0]).bytes
        case .otherEncoding:
            return AlteringProxy.Message("S", Array("client_encoding\0LATIN1\0".utf8)).bytes + message.bytes
        case .manyNotices:
            let notice = AlteringProxy.Message("N", Array("SNOTICE\0C00000\0Mlook\0\0".utf8)).bytes
            return Array(repeatElement(notice, count: 1000).joined()) + message.bytes
        case .unknownKind: return AlteringProxy.Message("?", [1, 2, 3]).bytes + message.bytes
        case .endlessLength: return [UInt8(ascii: "D"), 0x7F, 0xFF, 0xFF, 0xFF, 0, 1]
        case .authenticationAgain: return AlteringProxy.Message("R", [0, 0, 0, 3]).bytes + message.bytes
        }
    }

    /// A description with the same columns, each declared as text: the last two bytes of each.
    private func columnsAsText(_ message: AlteringProxy.Message) -> [UInt8] {
        var body = message.body
        var place = 2
        while place < body.count, let end = body[place...].firstIndex(of: 0), end + 18 < body.count {
            body[end + 17] = 0
            body[end + 18] = 0
            place = end + 19
        }
        return AlteringProxy.Message("T", body).bytes
    }
}
