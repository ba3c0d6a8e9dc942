import RESTAuth
import Testing

@Suite struct PasskeyOptionsTests {
    private let party: RelyingParty

    init() throws {
        party = try RelyingParty(id: "example.org", name: "Example \"&\" Co", publicURL: "https://auth.example.org")
    }

    @Test func creationIsAsBrowsersReadIt() {
        let options = PasskeyOptions.creation(
            for: party, challenge: [0xFB, 0xFF], userHandle: [1, 2, 3, 4], username: "miguel",
            displayName: "Miguel \u{1F34B}",
            existing: [
                PasskeyDescriptor(credentialID: [0xFF], transports: ["usb", "nfc"]),
                PasskeyDescriptor(credentialID: [0xFE], transports: []),
            ], isAlone: false)
        let expected = """
            {"rp":{"id":"example.org","name":"Example \\"&\\" Co"},\
            "user":{"id":"AQIDBA","name":"miguel","displayName":"Miguel \u{1F34B}"},"challenge":"-_8",\
            "pubKeyCredParams":[{"type":"public-key","alg":-8},{"type":"public-key","alg":-7},\
            {"type":"public-key","alg":-257}],"timeout":300000,\
            "excludeCredentials":[{"type":"public-key","id":"_w","transports":["usb","nfc"]},\
            {"type":"public-key","id":"_g"}],\
            "authenticatorSelection":{"residentKey":"preferred","requireResidentKey":false,\
            "userVerification":"preferred"},"attestation":"none","extensions":{"credProps":true}}
            """
        #expect(options.json.text == expected)
    }

    @Test func aPasskeyThatSignsInByItselfHasToBeOne() {
        let options = PasskeyOptions.creation(
            for: party, challenge: [1], userHandle: [1], username: "miguel", displayName: "Miguel", existing: [],
            isAlone: true)
        #expect(
            options.json["authenticatorSelection"]?.text
                == #"{"residentKey":"required","requireResidentKey":true,"userVerification":"required"}"#)
        #expect(options.json["excludeCredentials"] == [])
    }

    @Test func requestIsAsBrowsersReadIt() {
        let anyone = PasskeyOptions.request(for: party, challenge: [1], requiresUserVerification: true)
        #expect(
            anyone.json.text
                == #"{"challenge":"AQ","timeout":300000,"rpId":"example.org","allowCredentials":[],"#
                + #""userVerification":"required"}"#
        )
        let named = PasskeyOptions.request(
            for: party, challenge: [1], requiresUserVerification: false,
            allowed: [PasskeyDescriptor(credentialID: [9], transports: ["internal"])])
        #expect(named.json["userVerification"] == "preferred")
        #expect(
            named.json["allowCredentials"]?.text == #"[{"type":"public-key","id":"CQ","transports":["internal"]}]"#)
    }

    @Test func signalsAreAsBrowsersReadThem() {
        #expect(
            PasskeySignal.acceptedCredentials([[1], [2]], ofUser: [3], at: party).text
                == #"{"rpId":"example.org","userId":"Aw","allAcceptedCredentialIds":["AQ","Ag"]}"#)
        #expect(
            PasskeySignal.acceptedCredentials([], ofUser: [3], at: party).text
                == #"{"rpId":"example.org","userId":"Aw","allAcceptedCredentialIds":[]}"#)
    }
}
