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
        ("::192.0.2.7", "::/56"),
        // A translated address (RFC 6052), and others: a neighbouring prefix, and one for local use
        // (RFC 8215).
        ("64:ff9b::192.0.2.7", "192.0.2.0/24"), ("64:ff9b::1:192.0.2.7", "64:ff9b::/56"),
        ("64:ff9b:1::192.0.2.7", "64:ff9b:1::/56"),
        // 6to4 (RFC 3056) with any bits after the address; and a neighbouring prefix.
        ("2002:c000:207::1", "192.0.2.0/24"), ("2002:c000:2ff:abcd:1:2:3:4", "192.0.2.0/24"),
        ("2003:c000:207::1", "2003:c000:207::/56"),
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
        ("192.0.2.1", ["192.0.2.0/24"]),
        ("2001:db8:1:2345::1", ["2001:db8:1:2300::/56", "2001:db8:1::/48", "2001:db8::/32"]),
        ("::1", ["::/56", "::/48", "::/32"]), ("2002:c000:207::1", ["192.0.2.0/24"]),
    ])
    func aNetworkLiesInItsBlocks(address: String, blocks: [String]) throws {
        let network = try #require(ClientNetwork(address))
        #expect(network.blocks.map(\.description) == blocks)
        #expect(network.blocks.last?.blocks.map(\.description) == blocks.suffix(1))
        for block in network.blocks { #expect(ClientNetwork.cidr(block.description) == block) }
    }

    @Test(arguments: [
        "", "/", "192.0.2.0", "192.0.2.0/", "192.0.2.0/24/", "192.0.2.0/16", "192.0.2.1/24", "192.0.2.0/+24",
        "192.0.2.0/024", "2001:db8::/64", "2001:db8::/0", "2001:DB8::/32", "2001:db8::1/56", "2001:db8:1::/32",
        "::ffff:192.0.2.0/24", " 192.0.2.0/24", "192.0.2.0/24\u{301}", "192.0.2.0\u{301}/24", "192.0.2.0\0/24",
    ])
    func whatIsWrittenInAnotherWayIsNoNetwork(text: String) {
        #expect(ClientNetwork.cidr(text) == nil)
    }

    @Test(arguments: [
        "", " ", "localhost", "192.0.2", "192.0.2.1.5", "192.0.2.256", "192.0.2.1 ", "192.0.2.1/24", "::1/64",
        "1::2::3", "[::1]",
        "unknown",
        "192.0.2.01", "0x7f.0.0.1", "192.0.2.1\0", "192.0.2.1\u{301}", "%\u{301}eth0",
    ])
    func whatIsNoAddressHasNoNetwork(text: String) {
        #expect(ClientNetwork(text) == nil)
    }
}
