package import ServiceLifecycle

/// A part of the core with its own tables, events and background work, in a folder of its own.
///
/// Its parts in other layers are conformances, each in a file of its own there: changes of the
/// schema in each backend, routes, tests of its storage. All rooms are found through ``Rooms/all``.
package protocol Room: SendableMetatype {
    /// Name in lower case, for error messages.
    static var name: String { get }

    /// Tables of the room, each before those that refer to it. A backend moves these tables, lets
    /// the server's role use them, and judges by them whether it is empty.
    static var tables: [StoredTable] { get }

    /// Names of the events that the room records.
    static var events: [AuthEvent.Name] { get }

    /// Background services, run as long as `auth` is used.
    static func services(of auth: Auth) -> [any Service]

    /// Deletes expired rows; called every minute.
    static func sweep(_ auth: Auth) async throws
}

extension Room {
    package static var tables: [StoredTable] { [] }
    package static var events: [AuthEvent.Name] { [] }
    package static func services(of auth: Auth) -> [any Service] { [] }
    package static func sweep(_ auth: Auth) async throws {}

    package typealias Column = StoredTable.Column
}
