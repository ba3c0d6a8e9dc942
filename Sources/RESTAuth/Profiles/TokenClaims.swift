/// Members of a user's `app_metadata` that access tokens carry as claims of their own.
package struct TokenClaims: Sendable {
    /// Longest claims in bytes of compact JSON: the room that issuer, audience and roles leave.
    package static let maximumBytes = 1024
    private static let longestName = 64
    private static let mostNames = 32

    let names: [String]

    package init(_ names: [String]) { self.names = names }

    /// Checks the names of members.
    /// - Throws: `misconfigured` naming the first that is not 1 to 64 characters of ASCII without
    ///   blanks, quotes and commas, that is listed twice, or that has a meaning in every token.
    package static func check(_ names: [String]) throws(AuthError) {
        var known = Set<WireText>()
        for name in names {
            guard (1...longestName).contains(name.utf8.count),
                name.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && !"\"',\\".utf8.contains($0) })
            else {
                throw AuthError(
                    .misconfigured,
                    """
                    the token claim \(name.debugDescription) is not 1 to \(longestName) characters of ASCII without \
                    blanks
                    """)
            }
            guard !isRegistered(name) else {
                throw AuthError(
                    .misconfigured, "the token claim \(name.debugDescription) has a meaning of its own in tokens")
            }
            guard known.insert(WireText(name)).inserted else {
                throw AuthError(.misconfigured, "the token claim \(name.debugDescription) is there twice")
            }
        }
        guard names.count <= mostNames else {
            throw AuthError(.misconfigured, "there are more than \(mostNames) token claims")
        }
    }

    /// The claims for a user, as the compact JSON of an object; `nil` for none.
    /// - Parameter appMetadata: the compact JSON of the user's `app_metadata`.
    /// - Throws: `validation_failed` for claims longer than ``maximumBytes``.
    package func text(from appMetadata: String) throws(AuthError) -> String? {
        guard !names.isEmpty else { return nil }
        let object = Profile.object(appMetadata)
        let members = names.compactMap { name in object[name].map { JSON.Member(name: name, value: $0) } }
        guard !members.isEmpty else { return nil }
        let bytes = JSON.object(members).bytes
        guard bytes.count <= Self.maximumBytes else {
            throw ProfileText.refused(
                .appMetadata,
                """
                must have at most \(Self.maximumBytes) bytes in the members that tokens carry \
                (\(names.joined(separator: ", ")))
                """)
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The members of a token that are neither registered nor ours, as the compact JSON of an
    /// object; `nil` for none.
    static func text(fromPayload payload: JSON) -> String? {
        guard case .object(let members) = payload else { return nil }
        let own = members.filter { !isRegistered($0.name) }
        return own.isEmpty ? nil : JSON.object(own).text
    }

    private static func isRegistered(_ name: String) -> Bool { registered.contains(WireText(name)) }

    /// Names with a meaning: those of this server and of its answers to introspection, and those of
    /// the IANA registry of JSON Web Token claims.
    private static let registered = Set(
        """
        iss sub aud exp nbf iat jti client_id preferred_username sid auth_time amr acr azp roles roles_key scope \
        active username token_type token_use groups entitlements name given_name family_name middle_name nickname \
        profile picture website email email_verified gender birthdate zoneinfo locale phone_number \
        phone_number_verified address updated_at nonce at_hash c_hash s_hash sub_jwk cnf sip_from_tag sip_date \
        sip_callid sip_cseq_num sip_via_branch orig dest mky events toe txn rph vot vtm attest origid act may_act \
        jcard \
        at_use_nbr div opt vc vp sph ace_profile cnonce exi token_introspection eat_nonce ueid sueids oemid hwmodel \
        hwversion oemboot dbgstat location eat_profile submods uptime bootcount bootseed dloas swname swversion \
        manifests measurements measres intuse cdniv cdnicrit cdniip cdniuc cdniets cdnistt cdnistd sig_val_claims \
        authorization_details verified_claims place_of_birth nationalities birth_family_name birth_given_name \
        birth_middle_name salutation title msisdn also_known_as htm htu ath atc sub_id rcd rcdi crn msgi \
        _claim_names _claim_sources rdap_allowed_purposes rdap_dnt_allowed geohash _sd ... _sd_alg sd_hash vct status \
        metadata app_metadata
        """.utf8.split(separator: UInt8(ascii: " ")).map { WireText(String(decoding: $0, as: UTF8.self)) })
}
