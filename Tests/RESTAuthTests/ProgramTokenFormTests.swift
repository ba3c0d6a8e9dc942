import Foundation
import RESTAuth
import Testing

/// The form of tokens for programs: prefix, random characters, checksum.
@Suite struct ProgramTokenFormTests {
    private static let alphabet = Set("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)

    @Test(arguments: ProgramToken.Form.Kind.allCases)
    func aNewTokenHasTheFormThatScannersKnow(_ kind: ProgramToken.Form.Kind) throws {
        for _ in 0..<200 {
            let form = ProgramToken.Form(kind)
            #expect(form.bytes.starts(with: kind.rawValue.utf8))
            #expect(form.bytes.count == 7 + 30 + 6)
            #expect(form.bytes.dropFirst(7).allSatisfy(Self.alphabet.contains))
            let read = try #require(ProgramToken.Form(form.bytes))
            #expect(read.kind == kind && read.bytes == form.bytes)
        }
    }

    /// Made with Python: `zlib.crc32(b"ra_pat_" + b"0" * 30)` in base62.
    @Test func theChecksumIsTheCRCOfAllBefore() {
        for text in Self.known { #expect(ProgramToken.Form(Array(text.utf8)) != nil, "\(text)") }
    }

    private static let known = [
        "ra_pat_0000000000000000000000000000001NZ6o9", "ra_svc_zzzzzzzzzzzzzzzzzzzzzzzzzzzzzz1IieEB",
        "ra_pat_AbCdEfGhIjKlMnOpQrStUvWxYz0123330oTx",
    ]

    @Test func everyOtherByteIsRefused() throws {
        let token = ProgramToken.Form(.personal).bytes
        for index in token.indices {
            for byte in [token[index] ^ 1, UInt8(ascii: "-"), UInt8(ascii: "_"), 0, 0xFF, UInt8(ascii: " ")] {
                var changed = token
                changed[index] = byte
                if changed != token { #expect(ProgramToken.Form(changed) == nil, "\(index) \(byte)") }
            }
        }
    }

    @Test func truncatedLongerAndSwappedTokensAreRefused() {
        let token = ProgramToken.Form(.service).bytes
        for length in token.indices { #expect(ProgramToken.Form(token.prefix(length)) == nil) }
        let ends: [[UInt8]] = [[0], [0x20], [0x0A], [0x3D], token]
        for end in ends {
            #expect(ProgramToken.Form(token + end) == nil)
            #expect(ProgramToken.Form(end + token) == nil)
        }
        // The prefix is under the checksum, too.
        #expect(ProgramToken.Form(Array("ra_pat_".utf8) + token.dropFirst(7)) == nil)
        #expect(ProgramToken.Form(Array("RA_SVC_".utf8) + token.dropFirst(7)) == nil)
        #expect(ProgramToken.Form(Array("ra_svc-".utf8) + token.dropFirst(7)) == nil)
        #expect(ProgramToken.Form([UInt8]()) == nil)
        #expect(ProgramToken.Form([UInt8](repeating: 0x30, count: 10_000_000)) == nil)
        #expect(ProgramToken.Form(Array("ra_pat_".utf8) + [UInt8](repeating: 0x30, count: 36)) == nil)
    }

    @Test func theBeginningIsToldWithoutTheRest() {
        for text in ["ra_pat_", "ra_svc_x", "ra_pat_\0"] { #expect(ProgramToken.Form.begins(text.utf8)) }
        for text in ["", "ra_pat", "ra_", "RA_PAT_", " ra_pat_", "eyJ"] {
            #expect(!ProgramToken.Form.begins(text.utf8))
        }
    }

    @Test func noCharacterIsLikelierThanAnother() {
        var counts: [UInt8: Int] = [:]
        for _ in 0..<2_000 {
            for byte in ProgramToken.Form(.personal).bytes.dropFirst(7).prefix(30) { counts[byte, default: 0] += 1 }
        }
        #expect(counts.count == 62)
        // 968 each on the average; with a plain remainder the first eight had 1,172.
        let first = "01234567".utf8.reduce(0) { $0 + counts[$1, default: 0] }
        #expect(first < 8 * 1_060)
    }

    @Test func aTokenIsNotPrinted() {
        let form = ProgramToken.Form(.personal)
        var dumped = ""
        dump(form, to: &dumped)
        for text in ["\(form)", String(reflecting: form), dumped] { #expect(!text.contains(form.text)) }
    }
}
