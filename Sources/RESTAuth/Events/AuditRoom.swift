package import ServiceLifecycle

/// The seals of events, which reveal any later change.
package enum AuditRoom: Room {
    package static let name = "audit"

    package static let tables = [
        StoredTable(
            "audit_chain", firstRows: .any,
            [
                Column("is_the_only_row", .boolean), Column("number", .integer), Column("digest", .bytes),
                Column("pruned_number", .integer), Column("pruned_digest", .bytes), Column("sealed_at", .time),
                Column("seal", .bytes),
            ])
    ]

    package static let events: [AuthEvent.Name] = [.auditRestarted]

    package static func services(of auth: Auth) -> [any Service] {
        [auth.sealer]
    }

    /// Deletes events older than the retention. A broken trail is left as it is.
    package static func sweep(_ auth: Auth) async throws {
        try await auth.auditTrail.prune()
    }
}

extension AuthEvent.Name {
    /// An operator gave up a broken trail, and a new one began.
    public static let auditRestarted = Self("audit.restarted", level: .notice)
}
