import RESTAuth
import Testing

@Suite struct ClientNetworkTests {
    @Test(arguments: [
        ("192.0.2.1", "192.0.2.0/24"), ("192.0.2.255", "192.0.2.0/24"), ("0.0.0.0", "0.0.0.0/24"),
        ("255.255.255.255", "255.255.255.0/24"),
        ("::1", "::/56"), ("2001:db8:1:2345::1", "2001:db8:1:2300::/56"),
        ("2001:DB8:1:23ff:ffff:ffff:ffff:ffff", "2001:db8:1:2300::/56"),
        ("::ffff:192.0.2.7", "192.0.2.0/24"), ("::FFFF:c000:0207", "192.0.2.0/24"), ("fe80::1%eth0", "fe80::/56"),
        ("2001:0db8:0001:2345:0:0:0:1", "2001:db8:1:2300::/56"), ("::fffe:192.0.2.7", "::/56"),
    ])
    func anAddressIsOneOfItsNetwork(address: String, network: String) {
        #expect(ClientNetwork(address)?.description == network)
    }

    @Test func theBorderIsAfter56Bits() {
        #expect(ClientNetwork("2001:db8:1:2300::1") == ClientNetwork("2001:db8:1:23ff::1"))
        #expect(ClientNetwork("2001:db8:1:2300::1") != ClientNetwork("2001:db8:1:2400::1"))
        #expect(ClientNetwork("192.0.2.1") != ClientNetwork("192.0.3.1"))
    }

    @Test(arguments: [
        "", " ", "localhost", "192.0.2", "192.0.2.1.5", "192.0.2.256", "192.0.2.1 ", "192.0.2.1/24", "::1/64",
        "1::2::3", "[::1]",
        "unknown",
        "192.0.2.01", "0x7f.0.0.1",
    ])
    func whatIsNoAddressHasNoNetwork(text: String) {
        #expect(ClientNetwork(text) == nil)
    }
}
