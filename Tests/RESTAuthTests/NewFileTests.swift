import Foundation
import RESTAuth
import Support
import Testing

@Suite struct NewFileTests {
    private let directory: TemporaryDirectory
    private var place: String { directory.path + "/file" }

    init() throws { directory = try TemporaryDirectory() }

    private func text() throws -> String { try String(contentsOfFile: place, encoding: .utf8) }

    @Test func nothingIsThereBeforeAllOfItIs() throws {
        let file = try NewFile(for: place)
        try file.write(Array("one".utf8))
        #expect(!FileManager.default.fileExists(atPath: place))
        try file.put(isReplacing: false)
        #expect(try text() == "one")
    }

    @Test func whatIsThereGivesWayOnlyWhenItIsMeantTo() throws {
        try "one".write(toFile: place, atomically: true, encoding: .utf8)
        let file = try NewFile(for: place)
        try file.write(Array("two".utf8))
        let error = #expect(throws: SystemError.self) { try file.put(isReplacing: false) }
        #expect(error?.code == EEXIST)
        #expect(try text() == "one")
        try file.put(isReplacing: true)
        #expect(try text() == "two")
    }

    @Test func whatWasNotPutInItsPlaceIsRemoved() throws {
        do {
            let file = try NewFile(for: place)
            try file.write(Array("one".utf8))
            #expect(directory.contents.count == 1)
        }
        #expect(directory.contents.isEmpty)
        #expect(throws: SystemError.self) { try NewFile(for: directory.path + "/none/file") }
    }
}
