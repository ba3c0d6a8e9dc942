import RESTAuth

struct AuditSettings: SettingGroup {
    static let title = "Audit trail"

    let retention = Setting(
        "audit_retention", \.auth.auditRetention, .duration(in: AuthConfiguration.auditRetentions),
        "How long events are kept in the audit trail.")
}

extension Setting {
    static let audit = AuditSettings()
}
