import PasswordHashing
import Testing

@Suite struct RandomTests {
    @Test func asManyBytesComeAsAreAskedFor() {
        for count in [0, 1, 7, 8, 255, 256, 257, 1000] { #expect(Random.bytes(count).count == count) }
    }

    @Test func everyPieceOfALongDrawIsRandom() {
        let bytes = Random.bytes(1000)
        for start in stride(from: 0, to: 1000, by: 50) { #expect(Set(bytes[start..<(start + 50)]).count > 20) }
        #expect(Random.bytes(16) != Random.bytes(16))
    }
}
