/// The database as a whole: making, copying and moving it.
package enum TransferRoom: Room {
    package static let name = "transfer"

    package static let events: [AuthEvent.Name] = [.backupMade, .backupRestored, .databaseMigrated, .schemaApplied]
}

extension AuthEvent.Name {
    /// The database was copied into a file.
    public static let backupMade = Self("backup.made")
    /// A backup replaced the database.
    public static let backupRestored = Self("backup.restored")
    /// Everything was copied here from another database.
    public static let databaseMigrated = Self("database.migrated")
    /// The tables were brought up to date.
    public static let schemaApplied = Self("schema.applied")
}
