import RESTAuth

/// Findings about a running server.
extension Settings {
    func findingsOnTheServer() async -> [Finding] {
        guard (try? ListeningSockets.rehearse(self)) == true else { return [] }
        do {
            try await HealthCheck(settings: self, timeout: 5).require(isReady: true)
            return []
        } catch {
            let place = if case .unixSocket = listenAddress { "path with --hostname" } else { "port with --port" }
            return [
                .wrong(
                    Setting.address.hostname.name, Doctor.text(of: error),
                    "if it is a rest-auth, look at its log; if not, stop it, or choose another \(place)")
            ]
        }
    }
}
