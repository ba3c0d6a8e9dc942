import RESTAuth
import Testing

/// The JSON of answers: what is read is of one form.
@Suite struct PasskeyAnswerTests {
    private static let registration: [String: JSON] = [
        "clientDataJSON": "AAAA", "attestationObject": "AAAA", "transports": ["usb"],
    ]
    private static let authentication: [String: JSON] = [
        "clientDataJSON": "AAAA", "authenticatorData": "AAAA", "signature": "AAAA", "userHandle": "AAAA",
    ]

    private func object(_ members: [String: JSON]) -> JSON {
        .object(members.map { JSON.Member(name: $0.key, value: $0.value) })
    }

    private func answer(_ response: JSON, _ altered: [String: JSON?] = [:]) -> JSON {
        var members: [String: JSON] = ["id": "AAAA", "rawId": "AAAA", "type": "public-key", "response": response]
        for (name, value) in altered { members[name] = value }
        return object(members)
    }

    private func expectMalformed(_ json: JSON, sourceLocation: SourceLocation = #_sourceLocation) {
        #expect(throws: PasskeyRefusal.malformed, "\(json.text)", sourceLocation: sourceLocation) {
            try PasskeyRegistrationAnswer(json)
        }
        #expect(throws: PasskeyRefusal.malformed, "\(json.text)", sourceLocation: sourceLocation) {
            try PasskeyAuthenticationAnswer(json)
        }
    }

    private static let others: [JSON?] = [
        nil, .null, 0, true, [], [:], "", ["AAAA"], "A", "AAAA=", "AA==", "AAA", "AA\u{0}A", "AA+A", "AA/A", " AAAA",
        "AAAA\n",
        "\u{E4}AAA", "AAA\u{301}A",
    ]

    @Test func theFormIsRead() throws {
        let new = try PasskeyRegistrationAnswer(answer(object(Self.registration)))
        #expect(new.credentialID == [0, 0, 0] && new.transports == ["usb"] && new.isDiscoverable == nil)
        let used = try PasskeyAuthenticationAnswer(answer(object(Self.authentication)))
        #expect(used.userHandle == [0, 0, 0] && used.signature == [0, 0, 0])
    }

    @Test func whatIsNoObjectIsRefused() {
        for json in [JSON.null, 1, "AAAA", true, [], [:], [["id": "AAAA"]]] { expectMalformed(json) }
    }

    @Test func everyMemberHasItsForm() {
        let both = object(Self.registration.merging(Self.authentication) { one, _ in one })
        for other in Self.others where other != "AAA" {
            if other != "" { expectMalformed(answer(both, ["rawId": other, "id": other])) }
            expectMalformed(answer(both, ["type": other]))
            if other != [:] { expectMalformed(answer(other ?? .null)) }
        }
        for type in ["public-key ", "Public-Key", "password", "public_key"] as [JSON] {
            expectMalformed(answer(both, ["type": type]))
        }
        for name in Self.registration.keys.sorted() where name != "transports" {
            for other in Self.others where other != "AAA" {
                var response = Self.registration
                response[name] = other
                #expect(throws: PasskeyRefusal.malformed, "\(name) \(String(describing: other))") {
                    try PasskeyRegistrationAnswer(answer(object(response)))
                }
            }
        }
        for name in Self.authentication.keys.sorted() {
            for other in Self.others where other != "AAA" && !(name == "userHandle" && (other == nil || other == .null))
            {
                var response = Self.authentication
                response[name] = other
                #expect(throws: PasskeyRefusal.malformed, "\(name) \(String(describing: other))") {
                    try PasskeyAuthenticationAnswer(answer(object(response)))
                }
            }
        }
    }

    @Test func twoIDsAreRefused() {
        let both = object(Self.registration.merging(Self.authentication) { one, _ in one })
        for id in ["AAAB", "aaaa", "AAAAAAAA", "", "AAA\u{C1}"] as [JSON] {
            #expect(throws: PasskeyRefusal.differentIDs) { try PasskeyRegistrationAnswer(answer(both, ["id": id])) }
            #expect(throws: PasskeyRefusal.differentIDs) { try PasskeyAuthenticationAnswer(answer(both, ["id": id])) }
        }
    }

    @Test(arguments: [
        ("clientDataJSON", ClientData.maximumLength), ("attestationObject", AttestationObject.maximumLength),
        ("authenticatorData", AuthenticatorData.maximumLength),
        ("signature", PasskeyAuthenticationAnswer.signatureLengths.upperBound),
        ("userHandle", PasskeyAuthenticationAnswer.userHandleLengths.upperBound),
    ])
    func aMemberHasALongestForm(name: String, length: Int) throws {
        let both = Self.registration.merging(Self.authentication) { one, _ in one }
        for (length, isTaken) in [(length, true), (length + 1, false), (length + 3, false), (60_000, false)] {
            var response = both
            response[name] = .string(Base64.url.encode([UInt8](repeating: 1, count: length)))
            let json = answer(object(response))
            let isRefused =
                Self.registration[name] != nil && (try? PasskeyRegistrationAnswer(json)) == nil
                || Self.authentication[name] != nil && (try? PasskeyAuthenticationAnswer(json)) == nil
            #expect(isRefused == !isTaken)
        }
    }

    @Test func anIDHasALongestForm() throws {
        let both = object(Self.registration.merging(Self.authentication) { one, _ in one })
        let longest = JSON.string(Base64.url.encode([UInt8](repeating: 1, count: 1_023)))
        _ = try PasskeyRegistrationAnswer(answer(both, ["id": longest, "rawId": longest]))
        let longer = JSON.string(Base64.url.encode([UInt8](repeating: 1, count: 1_024)))
        expectMalformed(answer(both, ["id": longer, "rawId": longer]))
    }

    // MARK: Transports

    @Test func transportsAreKeptOnceEach() throws {
        var response = Self.registration
        response["transports"] = ["usb", "nfc", "usb", "smart-card", "hybrid", "something-2040"]
        let taken = try PasskeyRegistrationAnswer(answer(object(response))).transports
        #expect(taken == ["usb", "nfc", "smart-card", "hybrid", "something-2040"])
        for none in [JSON.null, nil, []] {
            response["transports"] = none
            #expect(try PasskeyRegistrationAnswer(answer(object(response))).transports == [])
        }
    }

    @Test(
        arguments: [
            "usb", 1, true, [:], [1], [.null], [["usb"]], [""], ["USB"], ["usb "], ["u\u{308}sb"], ["usb\u{0}"],
            ["<script>"],
            .array(.init(repeating: "usb", count: 9)), ["aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"],
        ] as [JSON])
    func transportsThatHaveNoNameAreRefused(transports: JSON) {
        var response = Self.registration
        response["transports"] = transports
        #expect(throws: PasskeyRefusal.malformed) { try PasskeyRegistrationAnswer(answer(object(response))) }
    }

    // MARK: What a browser says of extensions

    @Test func onlyAPlainAnswerSaysThatAPasskeyIsDiscoverable() throws {
        func isDiscoverable(_ extensions: JSON?) throws -> Bool? {
            try PasskeyRegistrationAnswer(
                answer(object(Self.registration), ["clientExtensionResults": extensions])
            ).isDiscoverable
        }
        #expect(try isDiscoverable(["credProps": ["rk": true]]) == true)
        #expect(try isDiscoverable(["credProps": ["rk": false]]) == false)
        for other in [nil, .null, 1, [:], ["credProps": true], ["credProps": [:]], ["credProps": ["rk": 1]]] as [JSON?]
        {
            #expect(try isDiscoverable(other) == nil)
        }
    }
}
