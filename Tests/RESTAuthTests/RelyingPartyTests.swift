import RESTAuth
import Testing

@Suite struct RelyingPartyTests {
    // MARK: Origins

    @Test(arguments: [
        ("https://example.org", "https://example.org"), ("https://example.org/", "https://example.org"),
        ("https://Example.ORG:443/auth?x#y", "https://example.org"),
        ("https://example.org:8443/a", "https://example.org:8443"),
        ("http://localhost", "http://localhost"), ("http://localhost:8080/", "http://localhost:8080"),
        ("http://app.localhost:80", "http://app.localhost"), ("https://localhost:80", "https://localhost:80"),
        ("HTTPS://example.org?a", "https://example.org"),
        ("https://xn--bcher-kva.example#", "https://xn--bcher-kva.example"),
        ("https://a-1.example.org", "https://a-1.example.org"),
    ])
    func theOriginOfAURLIsTheOneThatBrowsersSay(url: String, origin: String) {
        #expect(WebOrigin(ofURL: url)?.text == origin)
        #expect(WebOrigin(origin)?.text == origin)
        #expect((WebOrigin(url) != nil) == url.utf8.elementsEqual(origin.utf8))
    }

    @Test(arguments: [
        "", "example.org", "//example.org", "ftp://example.org", "http://example.org", "http://localhost.example.org",
        "http://notlocalhost", "https://", "https:///", "https://:443", "https://example.org:", "https://example.org:0",
        "https://example.org:080", "https://example.org:65536", "https://example.org:99999999999999999999",
        "https://example.org:44x", "https://example.org:+443", "https://user@example.org", "https://user:1@example.org",
        "https://127.0.0.1", "https://[::1]", "https://1.2.3.4:8443", "https://0x7f.1", "https://example.0x7f",
        "https://1",
        "https://example..org", "https://.example.org", "https://example.org.", "https://-a.example.org",
        "https://a-.example.org", "https://a_b.example.org", "https://b\u{FC}cher.example", "https://ex ample.org",
        "https://example.org\u{0}", "https://ex\u{430}mple.org", "https://example.org\u{301}", " https://example.org",
        "https://*.example.org", "https://example.org\\x", "null",
    ])
    func whatBrowsersGiveNoPasskeysIsNoOrigin(url: String) {
        #expect(WebOrigin(ofURL: url) == nil)
        #expect(WebOrigin(url) == nil)
    }

    @Test func aLabelAndANameHaveALongestForm() {
        let label = String(repeating: "a", count: 63)
        #expect(WebOrigin("https://\(label).org") != nil)
        #expect(WebOrigin("https://a\(label).org") == nil)
        let name = [label, label, label, String(repeating: "a", count: 61)].joined(separator: ".")
        #expect(WebOrigin("https://\(name)") != nil)
        #expect(WebOrigin("https://\(name)a") == nil)
    }

    // MARK: The party

    @Test func thePublicURLSaysEverything() throws {
        let party = try RelyingParty(publicURL: "https://auth.example.org/base")
        #expect(party.id == "auth.example.org")
        #expect(party.name == "auth.example.org")
        #expect(party.origins == ["https://auth.example.org"])
        #expect(party.topOrigins == [])
        #expect(party.relatedOrigins == nil)
        #expect(try RelyingParty(publicURL: "http://localhost:8080").id == "localhost")
    }

    @Test func pagesElsewhereAreForBrowsersToRead() throws {
        let party = try RelyingParty(
            id: "example.org", name: "Example", publicURL: "https://auth.example.org",
            origins: [
                "https://example.org", "https://a.example.org:8443", "https://example.com", "https://notexample.org",
                "ios:bundle-id:org.example.App", "android:apk-key-hash:R8xO7rlQV3vlbLq9lzUKHUzpQ_ohGgtsdVGmVYXkS1g",
            ])
        #expect(party.relatedOrigins?.text == #"{"origins":["https://example.com","https://notexample.org"]}"#)
    }

    @Test(arguments: [
        "http://example.org", "https://192.0.2.1", "https://[2001:db8::1]", "", "example.org", "https://", "file:///",
    ])
    func aPublicURLThatBrowsersGiveNoPasskeysIsRefused(url: String) {
        expectMisconfigured { try RelyingParty(publicURL: url) }
    }

    @Test(arguments: [
        "", "org", "com", "Example.org", "example.org.", ".example.org", "https://example.org", "example.org:443",
        "1.2.3.4",
        "b\u{FC}cher.example", "*.example.org", "example.org/", " example.org", "other.org", "auth.example.org",
        "xample.org",
        "ple.org",
    ])
    func anIDThatIsNotThatOfAnOriginIsRefused(id: String) {
        expectMisconfigured { try RelyingParty(id: id, publicURL: "https://example.org") }
    }

    @Test(arguments: [
        "", "https://example.org/", "https://example.org:443", "HTTPS://example.org", "https://Example.org",
        "example.org",
        "http://example.org", "https://*.example.org", "android:apk-key-hash:", "android:apk-key-hash:AAAA",
        "android:apk-key-hash:R8xO7rlQV3vlbLq9lzUKHUzpQ_ohGgtsdVGmVYXkS1g=",
        "android:apk-key-hash:R8xO7rlQV3vlbLq9lzUKHUzpQ/ohGgtsdVGmVYXkS1g",
        "android:apk-key-hash:R8xO7rlQV3vlbLq9lzUKHUzpQ_ohGgtsdVGmVYXkS1h",
        "Android:apk-key-hash:R8xO7rlQV3vlbLq9lzUKHUzpQ_ohGgtsdVGmVYXkS1g", "ios:bundle-id:",
        "ios:bundle-id:org example",
        "ios:bundle-id:org.example/App", "null", "chrome-extension://abc",
    ])
    func anOriginThatNobodySaysIsRefused(origin: String) {
        expectMisconfigured {
            try RelyingParty(publicURL: "https://example.org", origins: ["https://example.org", origin])
        }
        expectMisconfigured { try RelyingParty(publicURL: "https://example.org", topOrigins: [origin]) }
    }

    @Test func originsThatAreAllElsewhereAreRefused() {
        for origins in [[], ["https://example.com"], ["ios:bundle-id:org.example.App"], ["https://notexample.org"]] {
            expectMisconfigured { try RelyingParty(publicURL: "https://example.org", origins: origins) }
        }
    }

    private func expectMisconfigured(
        sourceLocation: SourceLocation = #_sourceLocation, _ make: () throws -> RelyingParty
    ) {
        let error = #expect(throws: AuthError.self, sourceLocation: sourceLocation) { _ = try make() }
        #expect(error?.code == .misconfigured, sourceLocation: sourceLocation)
    }
}
