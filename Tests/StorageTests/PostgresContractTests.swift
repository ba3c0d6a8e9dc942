import RESTAuth
import RESTAuthPostgres
import RESTAuthTesting
import Support
import Testing

/// PostgreSQL keeps what every backend promises.
@Suite struct PostgresContractTests {
    @Test(arguments: StorageContract.all)
    func inADatabase(_ promise: StorageContract.Promise) async throws {
        let url = try PostgresServer.shared.get().makeDatabase()
        try await promise.check(PostgresStorage(PostgresConfiguration(url: url)))
    }
}
