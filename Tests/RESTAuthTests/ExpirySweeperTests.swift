import RESTAuth
import RESTAuthTesting
import Testing

@Suite struct ExpirySweeperTests {
    @Test func whatOneRoomCannotDeleteKeepsNoOtherFromIt() async throws {
        let test = try await TestAuth()
        let session = try await test.session()
        let id = try await test.verify(session.access).sessionID
        let sweeper = try #require(test.auth.services.compactMap { $0 as? ExpirySweeper }.first)
        test.clock.advance(by: 365 * 86400)
        try await test.storage.hideSigningKeys(true)
        await #expect(throws: AuthError.self) { try await sweeper.sweep() }
        #expect(try await test.storage.session(id: #require(id)) == nil)
        try await test.storage.hideSigningKeys(false)
        try await sweeper.sweep()
    }
}
