import RESTAuthSQLite
import RESTAuthTesting
import Support
import Testing

/// The storage contract on SQLite, in memory and in a file.
@Suite struct SQLiteContractTests {
    @Test(arguments: StorageContract.all)
    func inMemory(_ promise: StorageContract.Promise) async throws {
        try await promise.check(SQLiteStorage())
    }

    @Test(arguments: StorageContract.all)
    func inAFile(_ promise: StorageContract.Promise) async throws {
        let directory = try TemporaryDirectory()
        try await promise.check(SQLiteStorage(path: directory.path + "/users.sqlite"))
    }
}
