public import Foundation

/// The promises about rows of events, as long as they are kept.
///
/// A method of another room that changes something takes the event to record and writes both in one
/// transaction: nothing changes without its event, and nothing is recorded when nothing changed. A
/// method that throws records nothing. An event whose name is not stored
/// (``AuthEvent/Name/isDurable``) is not written.
public protocol EventStorage: Sendable {
    /// Records an event that changed nothing else in the storage, such as an export.
    func append(_ event: AuthEvent) async throws

    /// Returns at most `limit` rows with an id greater than `id`, in ascending order of id. A row
    /// with a smaller id may appear after one with a greater id: ids are assigned when a row is
    /// written, and transactions commit in another order.
    func events(after id: Int64, limit: Int) async throws -> [StoredEvent]
}

/// A row of the table of events.
public struct StoredEvent: Sendable, Hashable, Identifiable {
    public let id: Int64
    /// The recorded event.
    public let fields: EventFields
    /// Number in the sealed chain, from 1; `nil` until it is sealed.
    public let number: Int64?
    /// `nil` until it is sealed.
    public let seal: [UInt8]?

    public init(id: Int64, fields: EventFields, number: Int64?, seal: [UInt8]?) {
        self.id = id
        self.fields = fields
        self.number = number
        self.seal = seal
    }
}

/// The stored fields of an event, which may have a name that this version does not know.
public struct EventFields: Sendable, Hashable {
    /// The time, in whole microseconds.
    public let at: Date
    /// The text of an ``AuthEvent/Name``.
    public let name: String
    public let userID: User.ID?
    public let sessionID: Session.ID?
    /// `anonymous`, `user`, `client`, `operator` or `application`, as the table allows; see
    /// ``actor``.
    public let actorKind: String
    /// A user's id, a `client_id`, `service:` and the id of a service account, or an account of the
    /// operating system.
    public let actorID: String?
    public let requestID: String?
    public let address: String?
    public let userAgent: String?
    /// A compact JSON object of strings, with its names in the order of their bytes.
    public let details: String

    public init(
        at: Date, name: String, userID: User.ID?, sessionID: Session.ID?, actorKind: String, actorID: String?,
        requestID: String?, address: String?, userAgent: String?, details: String
    ) {
        self.at = at
        self.name = name
        self.userID = userID
        self.sessionID = sessionID
        self.actorKind = actorKind
        self.actorID = actorID
        self.requestID = requestID
        self.address = address
        self.userAgent = userAgent
        self.details = details
    }
}

extension EventFields {
    public init(_ event: AuthEvent) {
        let (kind, id): (String, String?) =
            if case .service(let id) = event.actor {
                (AuthEvent.Actor.client("").kind, Self.servicePrefix + id)
            } else { (event.actor.kind, event.actor.id) }
        self.init(
            at: event.at, name: event.name.rawValue, userID: event.userID, sessionID: event.sessionID,
            actorKind: kind, actorID: id, requestID: event.requestID, address: event.origin.address,
            userAgent: event.origin.userAgent, details: Self.text(event.details))
    }

    /// The kind of the actor, `service` for a service account, and its id.
    ///
    /// The table's rows are sealed as they are, and a constraint allows five kinds, so a service
    /// account is stored as a client whose id begins with `service:`. No client has such an id:
    /// there is no colon in one.
    public var actor: (kind: String, id: String?) {
        guard WireText(actorKind).equals("client"), let actorID, WireText(actorID).begins(with: "service:") else {
            return (actorKind, actorID)
        }
        let id = String(decoding: actorID.utf8.dropFirst(Self.servicePrefix.utf8.count), as: UTF8.self)
        return (AuthEvent.Actor.service(id).kind, id)
    }

    private static let servicePrefix = "service:"

    private static func text(_ details: [String: String]) -> String {
        let members = details.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
            .map { JSON.Member(name: $0.key, value: .string($0.value)) }
        return String(decoding: JSON.object(members).bytes, as: UTF8.self)
    }
}

extension AuthEvent.Actor {
    /// The kind in ``EventFields/actor``.
    public var kind: String {
        switch self {
        case .anonymous: "anonymous"
        case .user: "user"
        case .client: "client"
        case .service: "service"
        case .operator: "operator"
        case .application: "application"
        }
    }

    /// The id in ``EventFields/actor``.
    public var id: String? {
        switch self {
        case .anonymous, .application: nil
        case .user(let id): String(id)
        case .client(let id), .service(let id), .operator(let id): id
        }
    }
}
