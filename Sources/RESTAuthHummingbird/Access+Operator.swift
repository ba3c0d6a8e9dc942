package import RESTAuth

extension Access where Proof == Identity {
    /// Admits an operator: a user with the role, and, for what changes something, a sign-in of the
    /// last 15 minutes, with a second factor if the user has one; or a service account with the
    /// scope.
    package static func `operator`(_ auth: Auth, changing isChanging: Bool) -> Access {
        let access = program(auth, requiring: [.operates(changing: isChanging)])
        guard isChanging else { return access }
        return Access(
            audience: access.audience,
            admit: { request in
                let admission = try await access.admit(request)
                if let user = admission.proof.user { try await auth.users.confirmOperator(user) }
                return admission
            })
    }
}
