package import Foundation

/// The expectation of a relying party of an answer, and the checks that both ceremonies share.
package struct PasskeyExpectation: Sendable {
    let relyingParty: RelyingParty
    let requiresUserVerification: Bool
    /// User handle of the user whose passkey it has to be; `nil` for any user.
    let userHandle: [UInt8]?
    /// Finds what an answer to a challenge uses up; `nil` for a challenge that is not expected.
    let spent: @Sendable (_ challenge: [UInt8]) -> SpentChallenge?

    package init(
        _ relyingParty: RelyingParty, requiresUserVerification: Bool, userHandle: [UInt8]?,
        spent: @escaping @Sendable (_ challenge: [UInt8]) -> SpentChallenge?
    ) {
        self.relyingParty = relyingParty
        self.requiresUserVerification = requiresUserVerification
        self.userHandle = userHandle
        self.spent = spent
    }

    /// Expects an answer for a purpose, to a challenge that was made for it.
    package init(
        _ relyingParty: RelyingParty, for purpose: PasskeyPurpose, challenges: PasskeyChallenges, at now: Date
    ) {
        self.init(
            relyingParty, requiresUserVerification: purpose.requiresUserVerification, userHandle: purpose.userHandle
        ) { challenges.spent($0, for: purpose, at: now) }
    }

    /// Checks the client data (section 7.1 steps 5 to 11, section 7.2 steps 8 to 14).
    func verify(clientDataJSON: [UInt8], is type: StaticString) throws(PasskeyRefusal) -> SpentChallenge {
        guard let data = ClientData(clientDataJSON) else { throw .clientData }
        guard WireText(data.type).equals(type) else { throw .type }
        guard let spent = spent(data.challenge) else { throw .challenge }
        try relyingParty.accepts(data)
        return spent
    }

    /// Checks the hash and the flags (section 7.1 steps 14 to 17, section 7.2 steps 15 to 18).
    func verify(_ data: AuthenticatorData) throws(PasskeyRefusal) {
        guard data.relyingPartyIDHash.elementsEqual(relyingParty.idHash) else { throw .relyingPartyID }
        guard data.flags.contains(.userPresent) else { throw .userAbsent }
        guard data.flags.contains(.userVerified) || !requiresUserVerification else { throw .userNotVerified }
        guard data.flags.contains(.backupEligible) || !data.flags.contains(.backedUp) else { throw .backupState }
    }
}
