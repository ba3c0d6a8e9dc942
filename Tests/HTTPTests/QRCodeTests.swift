import Foundation
import RESTAuth
import RESTAuthHummingbird
import Support
import Testing

@Suite struct QRCodeTests {
    /// What a camera would read.
    private func read(_ picture: String, size: Int = 400) async throws -> String {
        let directory = try TemporaryDirectory()
        let path = directory.path
        try Data(picture.utf8).write(to: URL(fileURLWithPath: "\(path)/code.svg"))
        let drawn = try await ExternalProcess(
            ExternalProcess.program("rsvg-convert"), ["-w", "\(size)", "-o", "code.png", "code.svg"],
            directory: directory
        ).outcome()
        try #require(drawn.status == 0, "\(drawn.error)")
        return try await ExternalProcess(
            ExternalProcess.program("zbarimg"), ["-q", "--raw", "-Sdisable", "-Sqrcode.enable", "code.png"],
            directory: directory
        ).outcome().output
    }

    @Test(arguments: [
        "a", "otpauth://totp/auth.example.com:miguel?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=auth.example.com",
        String(repeating: "Aa0%", count: 120), "ABC-123", "0123456789",
    ])
    func aCameraReadsThePicture(text: String) async throws {
        let code = try #require(QRCode(text))
        #expect(try await read(code.svg) == text + "\n")
        #expect((code.side - 17) % 4 == 0 && (21...177).contains(code.side))
    }

    /// Where the page around it draws in white on black.
    @Test func itCanBeReadOnADarkGround() async throws {
        let code = try #require(QRCode("dark"))
        let inside = code.svg.replacing("<svg ", with: "<svg x=\"20\" y=\"20\" width=\"60\" height=\"60\" ")
        let page = """
            <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 100" color="#fff" fill="#fff" stroke="#fff">\
            <rect width="100" height="100" fill="#000"/>\(inside)</svg>
            """
        #expect(try await read(page) == "dark\n")
    }

    @Test func thePictureIsSmallAndSaysWhatItIs() async throws {
        let text = "otpauth://totp/auth.example.com:miguel?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=a.example.com"
        let svg = try #require(QRCode(text)).svg
        #expect(svg.utf8.count < 8_000)
        #expect(svg.contains("role=\"img\" aria-label=\""))
        #expect(!svg.contains("GEZDGNBV") && !svg.contains("miguel"))
        // Nothing that a page's policy may forbid, and nothing from elsewhere.
        for piece in ["style=", "<style", "<script", "href", "<image", "id=", "url("] { #expect(!svg.contains(piece)) }
        #expect(svg.utf8.allSatisfy { (0x20..<0x7F).contains($0) })
    }

    @Test func aroundItAreFourModulesOfWhite() throws {
        let code = try #require(QRCode("x"))
        #expect(code.side == 21)
        #expect(code.svg.contains("viewBox=\"0 0 29 29\""))
        // The finder pattern in the upper left corner begins at 4, 4 and is seven modules wide.
        #expect(code.svg.contains("d=\"M4 4.5h7"))
    }

    @Test func whatIsEmptyOrTooLongHasNone() {
        #expect(QRCode("") == nil)
        #expect(QRCode(String(repeating: "x", count: 2_331))?.side == 177)
        for count in [2_332, 2_953, 10_000, 1_000_000] { #expect(QRCode(String(repeating: "x", count: count)) == nil) }
    }

    @Test func whatIsNoASCIIIsThereByteByByte() async throws {
        let code = try #require(QRCode("Grüße, 李 😀"))
        #expect(try await read(code.svg) == "Grüße, 李 😀\n")
    }

    @Test func manyAreDrawnAtOnce() async throws {
        let alone = try (0..<64).map { try #require(QRCode("code \($0)")).svg }
        let together = await withTaskGroup(of: (Int, String?).self) { group in
            for number in 0..<64 { group.addTask { (number, QRCode("code \(number)")?.svg) } }
            return await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
        for (number, svg) in alone.enumerated() { #expect(together[number] == svg) }
    }

    @Test func itShowsNothing() throws {
        let code = try #require(QRCode("secret"))
        #expect("\(code)" == "redacted" && code.customMirror.children.isEmpty)
    }
}
