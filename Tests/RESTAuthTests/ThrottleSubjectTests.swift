import RESTAuth
import Testing

@Suite struct ThrottleSubjectTests {
    private static let network = ClientNetwork("2001:db8:7::1")

    @Test(arguments: ["miguel", "john smith", "john 192.0.2.0/24", "\u{301}nna", "\u{308}", "known", "李雷"])
    func aSubjectIsReadBackFromItsKeyWhateverTheName(text: String) throws {
        let (name, network) = (try Username(whoever: text), try #require(Self.network))
        for subject in [ThrottleSubject.account(name), .account(name, from: network)] {
            let read = try #require(ThrottleSubject(subject.key))
            #expect(read == subject)
            #expect(read.username?.unicodeScalars.elementsEqual(name.canonical.unicodeScalars) == true)
            #expect(read.network == subject.network)
        }
    }

    @Test func everyKindHasItsParts() throws {
        let (name, network) = (try Username("Miguel"), try #require(Self.network))
        let subjects: [ThrottleSubject] = [
            .account(name), .confirmation(by: 7), .device(of: 7), .hashing, .account(name, from: network),
            .network(network), .oneTimeCode(of: 7), .recoveryCode(of: 7), .registrations(from: network),
        ]
        #expect(subjects.map(\.kind) == ThrottleSubject.Kind.allCases)
        #expect(subjects.map(\.username) == ["miguel", nil, nil, nil, "miguel", nil, nil, nil, nil])
        #expect(subjects.map(\.userID) == [nil, 7, 7, nil, nil, nil, 7, 7, nil])
        #expect(subjects.map(\.network) == [nil, nil, nil, nil, network, network, nil, nil, network])
        for subject in subjects { #expect(ThrottleSubject(subject.key) == subject) }
    }

    @Test(arguments: [
        ThrottleSubject.Key(kind: "", username: "", network: "", userID: 0),
        .init(kind: "Account", username: "miguel", network: "", userID: 0),
        .init(kind: "account", username: "", network: "", userID: 0),
        .init(kind: "account", username: "miguel", network: "192.0.2.0/24", userID: 0),
        .init(kind: "account", username: "miguel", network: "", userID: 1),
        .init(kind: "known", username: "miguel", network: "", userID: 0),
        .init(kind: "known", username: "", network: "192.0.2.0/24", userID: 0),
        .init(kind: "network", username: "", network: "192.0.2.1", userID: 0),
        .init(kind: "network", username: "miguel", network: "192.0.2.0/24", userID: 0),
        .init(kind: "confirmation", username: "miguel", network: "", userID: 1),
        .init(kind: "hashing", username: "", network: "192.0.2.0/24", userID: 0),
        .init(kind: "device", username: "miguel", network: "", userID: 7),
        .init(kind: "one_time_code", username: "", network: "192.0.2.0/24", userID: 7),
        .init(kind: "oneTimeCode", username: "", network: "", userID: 7),
    ])
    func aKeyThatNoSubjectHasIsNone(key: ThrottleSubject.Key) {
        #expect(ThrottleSubject(key) == nil)
    }
}
