import Foundation
import RESTAuth
import RESTAuthTesting
import Support
import Testing

/// Users who come in batches, on both backends.
@Suite struct StreamedImportTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    /// An import, and what becomes of each user of a batch: the id, or the kind of refusal.
    private struct Stream {
        private let importing: StreamedImport
        private var splitter = LineSplitter()

        init(
            into storage: any Storage, allowing concessions: UserImport.Concessions = [], isTrial: Bool = false,
            configuration: AuthConfiguration = AuthConfiguration(), passed: PassedIDs = PassedIDs()
        ) {
            let users = UserImport(
                into: storage, hashes: HashIntake(), configuration: configuration, by: .application)
            importing = StreamedImport(users, allowing: concessions, isTrial: isTrial, passed: passed)
        }

        mutating func run(_ text: String) async throws -> [String] {
            try await importing.run(splitter.take(text.utf8)).map { note in
                switch note.outcome {
                case .imported(let id, _): id.map(String.init) ?? "would be"
                case .skipped: "skipped"
                case .refused(let refusal): refusal.kind.rawValue
                }
            }
        }

        mutating func run(_ ids: Int64?...) async throws -> [String] {
            try await run(ids.map { Stream.line("user-\($0.map(String.init) ?? "none")", id: $0) }.joined())
        }

        static func line(_ name: String, id: Int64? = nil, _ more: String = "") -> String {
            let id = id.map { "\"id\":\($0)," } ?? ""
            return "{\(id)\"username\":\"\(name)\",\"password_hash\":\"\(Samples.passwordHash)\"\(more)}\n"
        }
    }

    // MARK: Ids

    @Test(arguments: TransferBackend.all) func idsComeInAnyOrder(backend: TransferBackend) async throws {
        let storage = try await backend.place(directory, "source").open()
        var stream = Stream(into: storage)
        var ids: [User.ID] = Array(1...200)
        var state: UInt64 = 42
        for place in ids.indices.reversed() {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            ids.swapAt(place, Int(state >> 33) % (place + 1))
        }
        var rest = ids[...]
        while !rest.isEmpty {
            let batch = rest.prefix(7)
            rest = rest.dropFirst(7)
            let outcomes = try await stream.run(batch.map { Stream.line("user-\($0)", id: $0) }.joined())
            #expect(outcomes == batch.map(String.init))
        }
        let users = try await storage.users(after: 0, limit: 300)
        #expect(users.count == 200 && users.allSatisfy { $0.username == "user-\($0.id)" })
        #expect(try await storage.insertUser(Username("next"), passwordHash: "h", at: .now).id == 201)
    }

    /// Neither somebody who registers while the import runs, nor a user of it who is deleted.
    @Test(arguments: TransferBackend.all) func noIdIsGivenTwice(backend: TransferBackend) async throws {
        let storage = try await backend.place(directory, "source").open()
        #expect(try await storage.insertUser(Username("a"), passwordHash: "h", at: .now).id == 1)
        _ = try await storage.deleteUser(id: 1, at: .now)
        var stream = Stream(into: storage)
        #expect(try await stream.run(9, 1) == ["9", "id not free"])
        #expect(try await storage.insertUser(Username("b"), passwordHash: "h", at: .now).id == 10)
        #expect(try await stream.run(10, 3, nil) == ["id not free", "3", "11"])
        for id: User.ID in [3, 9, 10, 11] { _ = try await storage.deleteUser(id: id, at: .now) }
        let ids: [User.ID] = [3, 9, 10, 11, 4, 12]
        let outcomes = try await stream.run(ids.map { Stream.line("again-\($0)", id: $0) }.joined())
        #expect(outcomes == ["id not free", "id not free", "id not free", "id not free", "4", "12"])
    }

    @Test(arguments: TransferBackend.all) func idsArePassedByForOneImport(backend: TransferBackend) async throws {
        let place = try await backend.place(directory, "source")
        var (one, other) = (try await Stream(into: place.open()), try await Stream(into: place.open()))
        #expect(try await one.run(100) == ["100"])
        #expect(try await other.run(50, 200) == ["id not free", "200"])
        #expect(try await one.run(50, 150) == ["50", "id not free"])
        #expect(try await other.run(150) == ["150"])
        var late = try await Stream(into: place.open(), allowing: .renumbering)
        #expect(try await late.run(60) == ["201"])
    }

    /// What is refused keeps its id, for this import and for another, and loses it once.
    @Test(arguments: TransferBackend.all) func whoIsLeftOutKeepsTheId(backend: TransferBackend) async throws {
        let place = try await backend.place(directory, "source")
        var stream = try await Stream(into: place.open())
        #expect(
            try await stream.run(Stream.line("b:d", id: 5) + Stream.line("a", id: 8)) == ["name not acceptable", "8"])
        var other = try await Stream(into: place.open())
        #expect(try await other.run(5) == ["5"])
        _ = try await place.open().deleteUser(id: 5, at: .now)
        #expect(try await stream.run(Stream.line("bd", id: 5)) == ["id not free"])
    }

    /// None of its ids is said to be somebody's because the server has forgotten that it is free.
    @Test(arguments: TransferBackend.all) func tooGreatADisorderEndsTheImport(backend: TransferBackend) async throws {
        let storage = try await backend.place(directory, "source").open()
        var stream = Stream(into: storage, passed: PassedIDs(limit: 2))
        for id: Int64 in [9, 3, 6] { #expect(try await stream.run(id) == ["\(id)"]) }
        let error = await #expect(throws: AuthError.self) { try await stream.run(1) }
        #expect(error?.code == .validationFailed && error?.detail.contains("sort the lines by id") == true)
        #expect(try await storage.users(after: 0, limit: 10).map(\.id) == [3, 6, 9])
    }

    @Test(arguments: TransferBackend.all) func aTrialSaysTheSame(backend: TransferBackend) async throws {
        let storage = try await backend.place(directory, "source").open()
        var trial = Stream(into: storage, isTrial: true)
        for id: Int64 in [9, 3, 1 << 52, 4] { #expect(try await trial.run(id) == ["would be"]) }
        #expect(try await storage.lastUserID() == 0)
    }

    /// What was given between the check and the write.
    @Test(arguments: TransferBackend.all) func reservingSaysWhatWasGivenBefore(backend: TransferBackend) async throws {
        let storage = try await backend.place(directory, "source").open()
        for name in ["a", "b"] { _ = try await storage.insertUser(Username(name), passwordHash: "h", at: .now) }
        _ = try await storage.deleteUser(id: 2, at: .now)
        #expect(try await storage.reserveUserIDs([2, 7]) == 2)
        #expect(try await storage.reserveUserIDs([3]) == 7)
        #expect(try await storage.reserveUserIDs([]) == 7)
    }

    // MARK: Names

    @Test(arguments: TransferBackend.all)
    func whereAddressesSignInNoNewNameLooksLikeOne(backend: TransferBackend) async throws {
        let storage = try await backend.place(directory, "source").open()
        var configuration = AuthConfiguration()
        var before = Stream(into: storage, configuration: configuration)
        #expect(try await before.run(Stream.line("old@example.com", id: 1)) == ["1"])
        configuration.signInByEmail = true
        for concessions in [[], UserImport.Concessions.renumbering, .withoutPassword] {
            var stream = Stream(into: storage, allowing: concessions, configuration: configuration)
            let lines =
                ["new@example.com", "a\u{FF20}b", "@"].map { Stream.line($0, id: 7) }.joined()
                + Stream.line("Old@example.com", id: 1)
            let again = concessions == .renumbering ? "name not acceptable" : "id not free"
            #expect(try await stream.run(lines) == ["name not acceptable", again, again, "skipped"])
        }
        var trial = Stream(into: storage, isTrial: true, configuration: configuration)
        #expect(try await trial.run(Stream.line("new@example.com")) == ["name not acceptable"])
        // The id is kept for who comes under another name.
        var stream = Stream(into: storage, configuration: configuration)
        let member = #","email":"new@example.com","email_verified":true"#
        #expect(try await stream.run(Stream.line("new", id: 7, member)) == ["7"])
    }

    // MARK: Profiles

    private func exported(_ storage: any Storage) async throws -> String {
        var bytes: [UInt8] = []
        try await UserExport(from: storage, by: .application).run(includingPasswordHashes: true) { bytes += $0 }
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test(arguments: TransferBackend.all) func everyFieldOfAProfileComesThrough(backend: TransferBackend) async throws {
        let storage = try await backend.place(directory, "source").open()
        // {"a":"…"} of 4096 bytes, and one with what texts can have.
        let most = #"{"a":"\#(String(repeating: "x", count: 4088))"}"#
        let odd = #"{"__proto__":{"b":[1,2.5,null,true,"\u0000😀"]},"":-9223372036854775808}"#
        let profiles = [
            #","name":"Süsan 😀","email":"Susan+a@EXAMPLE.com","email_verified":true,"# + #""email_verified_at":"#
                + #""2026-01-02T03:04:05Z","locale":"de-AT","zoneinfo":"Europe/Vienna","# + #""picture":"#
                + #""https://example.com/a.png?b=c#d","metadata":\#(most),"app_metadata":\#(odd)"#,
            #","email":"Susan+a@example.com","metadata":\#(odd),"app_metadata":\#(most)"#,
            #","roles":["b","a"],"disabled_at":"2026-01-02T03:04:05Z","legacy_id":3"#, "",
        ]
        var stream = Stream(into: storage)
        let lines = profiles.enumerated().map { Stream.line("user-\($0)", id: Int64($0 * 3 + 1), $1) }.joined()
        #expect(try await stream.run(lines) == ["1", "4", "7", "10"])
        let first = try #require(try await storage.profile(of: 1)).profile
        #expect(first.isEmailVerified && first.metadata == most && first.picture == "https://example.com/a.png?b=c#d")
        let text = try await exported(storage)
        for part in [most, odd, #""email_verified_at":"2026-01-02T03:04:05Z""#] { #expect(text.contains(part)) }
        let other = try await backend.place(directory, "target").open()
        var again = Stream(into: other)
        #expect(try await again.run(text) == ["1", "4", "7", "10"])
        #expect(try await exported(other) == text)
    }

    @Test(arguments: TransferBackend.all) func claimsOfTokensHaveTheirLength(backend: TransferBackend) async throws {
        let storage = try await backend.place(directory, "source").open()
        var configuration = AuthConfiguration()
        configuration.tokenClaims = ["plan", "tenant"]
        var stream = Stream(into: storage, configuration: configuration)
        func member(_ count: Int) -> String {
            // {"plan":"…","tenant":1}
            #","app_metadata":{"plan":"\#(String(repeating: "x", count: count - 22))","tenant":1,"other":"x"}"#
        }
        #expect(
            try await stream.run(Stream.line("a", member(1024)) + Stream.line("b", member(1025))) == [
                "1", "not readable",
            ])
        var other = Stream(into: storage)
        #expect(try await other.run(Stream.line("b", member(1025))) == ["2"])
    }
}
