/// Findings about environment variables.
extension Settings {
    var findingsOnTheEnvironment: [Finding] {
        let ours = remarks.map { Finding.note("environment", $0) }
        let others = warnings.map { Finding.dangerous("environment", $0) }
        guard let relativeReading else { return ours + others }
        return ours + others + [
            .note(
                Setting.database.url.name,
                "the database is \(database), because three slashes begin at the root directory",
                "sqlite:\(relativeReading) is in the directory of the process")
        ]
    }
}
