extension Login {
    /// The check of credentials for routes on which a factor is added: it admits a user by the
    /// password alone who has to add one before anything else. Such an identity starts no session.
    package var admittingEnrollment: any CredentialVerifier { EnrollmentVerifier(login: self) }
}

private struct EnrollmentVerifier: CredentialVerifier {
    let login: Login

    func identify(_ credentials: Credentials, by caller: @autoclosure () -> Caller) async throws -> Identity {
        try await login.identify(credentials, admitsEnrollment: true, by: caller())
    }
}
