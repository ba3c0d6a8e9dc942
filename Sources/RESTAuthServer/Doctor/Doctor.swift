import RESTAuth

/// The checks of a whole deployment, which continue after a failure.
///
/// The checks make and change nothing, and connect only to the database and to the server's own
/// address.
struct Doctor {
    let source: SettingsSource

    /// The findings, sorted: what is wrong, then what is dangerous, then what is slow.
    func findings() async -> [Finding] {
        let (settings, wrong) = readable()
        var findings = source.unknown.map { Finding.wrong("settings", $0.detail) } + wrong
        if let settings {
            findings += settings.findingsOnTheEnvironment + settings.advice(reachableAt: settings.openAddress)
            for rehearsal in settings.rehearsals {
                do {
                    try await rehearsal.run()
                } catch {
                    findings.append(.wrong(rehearsal.subject, Self.text(of: error)))
                }
            }
            findings += settings.findingsOnFiles + settings.findingsOnTLS + settings.findingsOnTheMachine
            findings += await settings.findingsOnTheDatabase() + settings.findingsOnTheServer()
        }
        return Self.eachOnce(Finding.Kind.allCases.flatMap { kind in findings.filter { $0.kind == kind } })
    }

    /// The findings without duplicates: of two of which one contains the text of the other, the
    /// worse one is kept.
    private static func eachOnce(_ findings: [Finding]) -> [Finding] {
        var kept: [Finding] = []
        for finding in findings {
            guard let index = kept.firstIndex(where: { $0.line.contains(finding.text) }) else {
                kept.append(finding)
                continue
            }
            if kept[index].remedy == nil, finding.remedy != nil { kept[index] = kept[index].with(finding.remedy) }
        }
        return kept
    }

    /// The settings that can be read, and a finding for each that cannot.
    private func readable() -> (Settings?, [Finding]) {
        var (source, findings) = (source.withoutUnknown(), [Finding]())
        while true {
            do {
                return (try Settings(source), findings)
            } catch {
                let text = Self.text(of: error)
                guard let found = source.whatIsMeant(by: text) else {
                    return (nil, findings + [.wrong("settings", text)])
                }
                findings.append(.wrong(found.setting.name, text))
                source = source.without(found.setting)
            }
        }
    }

    static func text(of error: any Error) -> String { (error as? AuthError)?.detail ?? "\(error)" }
}
