import Foundation
import RESTAuth
import Support
import Testing

@Suite struct SessionIDTests {
    @Test func itIsAUUIDOfVersion7() throws {
        let id = Session.ID(at: Date(timeIntervalSince1970: 1_645_557_742))
        #expect(id.description.hasPrefix("017f22e2-79b0-7"))
        #expect("89ab".contains(id.description.dropFirst(19).prefix(1)))
        #expect(Session.ID(id.description) == id)
        #expect(id.bytes.withUnsafeBytes(Session.ID.init(bytes:)) == id)
        #expect(id.bytes.dropLast().withUnsafeBytes(Session.ID.init(bytes:)) == nil)
    }

    @Test func laterIsGreater() {
        let start = Date(timeIntervalSince1970: 1_800_000_000)
        let ids = (0..<1000).map { Session.ID(at: start.addingTimeInterval(Double($0) / 1000)).description }
        #expect(ids == ids.sorted())
        #expect(Set((0..<1000).map { _ in Session.ID(at: start) }).count == 1000)
    }
}
