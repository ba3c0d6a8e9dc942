package import ServiceLifecycle

/// A capability of the house, in a folder of its own, as the others need to know of it.
///
/// What a room is in another layer stands in its own file there, as a conformance: its changes of
/// the schema in each backend, its routes, its promises. All of them are found through
/// ``Rooms/all``.
package protocol Room: SendableMetatype {
    /// In lower case, for whoever reads an error.
    static var name: String { get }

    /// What it keeps, whoever is referred to before those who refer. A backend moves these tables,
    /// lets its nodes use them, and knows by them whether it is empty.
    static var tables: [StoredTable] { get }

    /// What can happen in it.
    static var events: [AuthEvent.Name] { get }

    /// Work in the background, for as long as the front desk is used.
    static func services(of auth: Auth) -> [any Service]

    /// Deletes what has expired. Done every minute.
    static func sweep(_ auth: Auth) async throws
}

extension Room {
    package static var tables: [StoredTable] { [] }
    package static var events: [AuthEvent.Name] { [] }
    package static func services(of auth: Auth) -> [any Service] { [] }
    package static func sweep(_ auth: Auth) async throws {}

    package typealias Column = StoredTable.Column
}
