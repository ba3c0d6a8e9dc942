import RESTAuth
import Testing

@Suite struct PasskeyDecoysTests {
    @Test func aNameHasTheSameDecoysEachTimeAndNoOtherNameHasThem() {
        let decoys = PasskeyDecoys(secrets: InstanceSecrets(InstanceSecret()))
        let names = (0..<500).map { "user\($0)" } + ["", "miguel", "Miguel"]
        let ids = names.map { decoys.descriptors(for: $0).map(\.credentialID) }
        #expect(ids == names.map { decoys.descriptors(for: $0).map(\.credentialID) })
        #expect(Set(ids).count == names.count)
        #expect(ids.allSatisfy { $0.count == 1 && $0.allSatisfy { AttestedCredential.idLengths.contains($0.count) } })
        #expect(Set(ids.map { $0[0].count }) == [16, 20, 32, 48])
    }

    @Test func anotherSecretMakesOthers() {
        let (one, other) = (InstanceSecret(), InstanceSecret())
        let made = [one, other].map {
            PasskeyDecoys(secrets: InstanceSecrets($0)).descriptors(for: "miguel").map(\.credentialID)
        }
        #expect(made[0] != made[1])
    }
}
