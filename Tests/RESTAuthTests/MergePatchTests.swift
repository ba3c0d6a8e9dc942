import RESTAuth
import Testing

@Suite struct MergePatchTests {
    /// The rows of RFC 7396 appendix A.
    @Test(arguments: [
        (#"{"a":"b"}"#, #"{"a":"c"}"#, #"{"a":"c"}"#),
        (#"{"a":"b"}"#, #"{"b":"c"}"#, #"{"a":"b","b":"c"}"#),
        (#"{"a":"b"}"#, #"{"a":null}"#, "{}"),
        (#"{"a":"b","b":"c"}"#, #"{"a":null}"#, #"{"b":"c"}"#),
        (#"{"a":["b"]}"#, #"{"a":"c"}"#, #"{"a":"c"}"#),
        (#"{"a":"c"}"#, #"{"a":["b"]}"#, #"{"a":["b"]}"#),
        (#"{"a":{"b":"c"}}"#, #"{"a":{"b":"d","c":null}}"#, #"{"a":{"b":"d"}}"#),
        (#"{"a":[{"b":"c"}]}"#, #"{"a":[1]}"#, #"{"a":[1]}"#),
        (#"["a","b"]"#, #"["c","d"]"#, #"["c","d"]"#),
        (#"{"a":"b"}"#, #"["c"]"#, #"["c"]"#),
        (#"{"a":"foo"}"#, "null", "null"),
        (#"{"a":"foo"}"#, #""bar""#, #""bar""#),
        (#"{"e":null}"#, #"{"a":1}"#, #"{"e":null,"a":1}"#),
        ("[1,2]", #"{"a":"b","c":null}"#, #"{"a":"b"}"#),
        ("{}", #"{"a":{"bb":{"ccc":null}}}"#, #"{"a":{"bb":{}}}"#),
    ])
    func theRowsOfTheStandardHold(target: String, patch: String, result: String) throws {
        #expect(try json(target).merging(json(patch)).text == result)
    }

    /// The example of section 3.
    @Test func theExampleOfTheStandardHolds() throws {
        let target = try json(
            #"""
            {"title":"Goodbye!","author":{"givenName":"John","familyName":"Doe"},"tags":["example","sample"],
            "content":"This will be unchanged"}
            """#)
        let patch = try json(
            #"{"title":"Hello!","phoneNumber":"+01-123-456-7890","author":{"familyName":null},"tags":["example"]}"#)
        #expect(
            target.merging(patch)
                == (try json(
                    #"""
                    {"title":"Hello!","author":{"givenName":"John"},"tags":["example"],
                    "content":"This will be unchanged","phoneNumber":"+01-123-456-7890"}
                    """#)))
    }

    @Test func aNullInAListStays() throws {
        #expect(try json("{}").merging(json(#"{"a":[null,{"b":null}]}"#)).text == #"{"a":[null,{"b":null}]}"#)
    }

    /// A name is its bytes: these two look the same, and Swift's own comparison says that they are.
    @Test func twoSpellingsOfANameAreTwo() throws {
        let merged = try json("{\"\u{E9}\":1}").merging(json("{\"e\u{301}\":null}"))
        #expect(merged.text == "{\"\u{E9}\":1}")
        #expect(try json("{\"\u{E9}\":1}").merging(json("{\"e\u{301}\":2}")).text.utf8.count > 10)
    }

    @Test func aPatchOfGreatDepthIsMerged() throws {
        let depth = JSON.maximumDepth - 1
        let patch = String(repeating: #"{"a":"#, count: depth) + "1" + String(repeating: "}", count: depth)
        #expect(try json("{}").merging(json(patch)).text == patch)
        #expect(try json(patch).merging(json(patch)).text == patch)
        #expect(JSON(Array(String(repeating: #"{"a":"#, count: 40).utf8)) == nil)
    }

    @Test func manyMembersAreMergedInOrder() throws {
        let target = JSON.object((0..<2000).map { JSON.Member(name: "n\($0)", value: .integer($0)) })
        let patch = JSON.object(
            (0..<3000).map { JSON.Member(name: "n\($0)", value: $0.isMultiple(of: 2) ? .null : .integer(-$0)) })
        guard case .object(let members) = target.merging(patch) else {
            Issue.record("no object")
            return
        }
        #expect(members.map(\.name) == (0..<3000).filter { !$0.isMultiple(of: 2) }.map { "n\($0)" })
    }

    private func json(_ text: String) throws -> JSON { try #require(JSON(Array(text.utf8))) }
}
