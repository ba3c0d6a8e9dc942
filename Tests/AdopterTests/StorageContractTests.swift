import RESTAuth
import RESTAuthSQLite
import RESTAuthTesting
import Testing

/// The storage contract as an adopter runs it, who can only use public declarations.
@Suite struct StorageContractTests {
    /// Runs all chapters but the one about registration, which is left out with a reason.
    @Test(arguments: StorageContract.all(leavingOut: [.registration: "whoever is invited comes in by hand"]))
    func keeps(_ promise: StorageContract.Promise) async throws {
        #expect(promise.omission == nil || StorageContract.Chapter.registration.promises.contains { $0 == promise })
        try await promise.check(SQLiteStorage())
        #expect(promise.omission == nil, "it was checked although it is left out")
    }

    @Test func whatIsLeftOutSaysWhy() {
        let promises = StorageContract.all(leavingOut: [.clients: "nobody asks", .imports: "nobody comes"])
        #expect(promises.map(\.sentence) == StorageContract.all.map(\.sentence))
        let omitted = Dictionary(grouping: promises, by: \.omission).mapValues { $0.map(\.sentence) }
        #expect(omitted["nobody asks"] == StorageContract.Chapter.clients.promises.map(\.sentence))
        #expect(omitted["nobody comes"] == StorageContract.Chapter.imports.promises.map(\.sentence))
        #expect(omitted.count == 3)
    }

    @Test func everythingIsCheckedWhereNothingIsSaid() {
        #expect(StorageContract.all.allSatisfy { $0.omission == nil })
        #expect(StorageContract.chapters.flatMap(\.promises).count == StorageContract.all.count)
    }
}

extension StorageContract.Promise {
    fileprivate static func == (one: Self, other: Self) -> Bool { one.sentence == other.sentence }
}
