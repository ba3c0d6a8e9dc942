import Foundation
import RESTAuth
import Support
import Testing

/// Verdicts on answers with passkeys, compared with those of py_webauthn.
///
/// The answers are those of soft-webauthn and of ruby-webauthn's FakeClient, most of them altered.
/// `Tests/Scripts/passkey_differences.py` finds the fact behind each difference, and fails when
/// there is none.
@Suite struct PasskeyOracleTests {
    @Test func eachDifferenceFromPyWebAuthnHasItsFact() async throws {
        let directory = try TemporaryDirectory()
        let count = Soak.count(500, soak: 10_000)
        func run(_ program: URL, _ arguments: [String], _ environment: [String: String] = [:], input: String = "")
            async throws -> String
        {
            let outcome = try await ExternalProcess(
                program, arguments, environment: environment, directory: directory, input: .text(input)
            ).outcome()
            try #require(outcome.status == 0, "\(outcome.output)\(outcome.error)")
            return outcome.output
        }
        func path(_ script: String) -> String {
            ExternalProcess.repository.appendingPathComponent("Tests/Scripts/\(script)").path
        }
        func write(_ text: String, to file: String) throws {
            try Data(text.utf8).write(to: URL(fileURLWithPath: "\(directory.path)/\(file)"))
        }
        let (ruby, python) = try (ExternalProcess.program("ruby"), ExternalProcess.testPython())
        try await write(run(ruby, [path("fake_client.rb"), "\(count / 25)"]), to: "fake.jsonl")
        try await write(run(ruby, [path("fake_client.rb"), "20"], ["AS_IT_IS": "yes"]), to: "as-it-is.jsonl")
        let answers = try await run(
            ExternalProcess.passkeyPython(),
            [path("passkey_answers.py"), "\(count)", "fake.jsonl", "as-it-is.jsonl"],
            ["SEED": "\(UInt32.random(in: 0 ... .max))"])
        try write(answers, to: "answers.jsonl")
        let lines = answers.split(separator: "\n")
        #expect(lines.count >= count)
        try write(lines.map { try verdict(on: String($0)).text + "\n" }.joined(), to: "ours.jsonl")
        try await write(run(python, [path("passkey_verdicts.py")], input: answers), to: "theirs.jsonl")
        let differences = try await run(
            python, [path("passkey_differences.py"), "answers.jsonl", "ours.jsonl", "theirs.jsonl"])
        #expect(differences.contains("\n0 differences without an explanation\n"), "\(differences)")
    }

    private func bytes(_ json: JSON?) -> [UInt8] { json?.string.flatMap { Base64.url.decode($0.utf8) } ?? [] }

    private func texts(_ json: JSON?) -> [String] {
        if case .array(let elements)? = json { elements.compactMap(\.string) } else { [] }
    }

    /// Our verdict on one answer, which comes with what is expected of it.
    private func verdict(on line: String) throws -> JSON {
        let request = try #require(JSON(Array(line.utf8)))
        let (origins, handle) = (texts(request["origins"]), bytes(request["user_handle"]))
        let party = try RelyingParty(
            id: request["rp_id"]?.string, publicURL: origins.first ?? "", origins: origins,
            topOrigins: texts(request["top_origins"]))
        let challenge = bytes(request["challenge"])
        let expectation = PasskeyExpectation(
            party, requiresUserVerification: request["require_uv"] == true,
            userHandle: request["identified"] == true ? handle : nil
        ) { $0 == challenge ? SpentChallenge(digest: $0, expiresAt: .distantFuture) : nil }
        let text = try #require(request["credential"]?.string)
        do throws(PasskeyRefusal) {
            guard let answer = JSON(text: Array(text.utf8)) else { throw .malformed }
            return try request["kind"] == "registration"
                ? registration(answer, expectation) : authentication(answer, expectation, request, handle)
        } catch {
            return ["verdict": "refused", "reason": .string(error.rawValue)]
        }
    }

    private func registration(_ answer: JSON, _ expectation: PasskeyExpectation) throws(PasskeyRefusal) -> JSON {
        let new = try RegistrationCeremony(expectation).verify(PasskeyRegistrationAnswer(answer))
        return [
            "verdict": "accepted", "credential_id": .string(Base64.url.encode(new.credentialID)),
            "public_key": .string(Base64.url.encode(new.publicKey)), "sign_count": .integer(Int(new.signCount)),
            "aaguid": .string(Base64.url.encode(new.aaguid)), "user_verified": .bool(new.isUserVerified),
            "backup_eligible": .bool(new.isBackupEligible), "backed_up": .bool(new.isBackedUp),
        ]
    }

    private func authentication(
        _ answer: JSON, _ expectation: PasskeyExpectation, _ request: JSON, _ handle: [UInt8]
    ) throws(PasskeyRefusal) -> JSON {
        let answer = try PasskeyAuthenticationAnswer(answer)
        let id = bytes(request["credential_id"])
        let stored = StoredPasskey(
            credentialID: id, publicKey: bytes(request["public_key"]), userHandle: handle,
            signCount: UInt32(clamping: request["sign_count"]?.integer ?? 0),
            isBackupEligible: request["backup_eligible"] == true, isBackedUp: request["backed_up"] == true,
            isVerificationInitialized: true)
        let use = try AuthenticationCeremony(expectation).verify(answer, by: answer.credentialID == id ? stored : nil)
        return [
            "verdict": "accepted", "credential_id": .string(Base64.url.encode(answer.credentialID)),
            "sign_count": .integer(Int(use.signCount)), "user_verified": .bool(use.isUserVerified),
            "backup_eligible": .bool(use.isBackupEligible), "backed_up": .bool(use.isBackedUp),
            "counter": .string("\(use.counter)"),
        ]
    }
}
