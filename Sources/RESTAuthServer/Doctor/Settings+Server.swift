import RESTAuth

/// The server, where one runs.
extension Settings {
    func findingsOnTheServer() async -> [Finding] {
        guard (try? ListeningSockets.rehearse(self)) == true else { return [] }
        do {
            try await HealthCheck(settings: self, timeout: 5).require(isReady: true)
            return []
        } catch {
            return [
                .wrong(
                    Setting.hostname.rawValue, "a server runs where the settings say, and \(Doctor.text(of: error))",
                    "look at its log, or stop what listens there, or choose another port with --port")
            ]
        }
    }
}
