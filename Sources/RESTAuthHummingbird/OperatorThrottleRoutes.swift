import Hummingbird
import RESTAuth

extension ThrottleRoom: RoutedRoom {
    static func routes(of auth: Auth, _ configuration: AuthRoutesConfiguration) -> [RouteGroup] {
        [RouteGroup(.operator, OperatorThrottleRoutes(auth: auth).routes)]
    }
}

/// `/api/operator/throttle`: who has to wait after too many wrong passwords.
struct OperatorThrottleRoutes: Sendable {
    let auth: Auth

    var routes: [Route] {
        let path = "/api/operator/throttle"
        return [
            Route(.get, path, .operator(auth, changing: false), "listThrottles") { _, request in
                try await list(request)
            },
            Route(.delete, path, .operator(auth, changing: true), "clearThrottles") { _, request in
                try await clear(request)
            },
        ]
    }

    /// Counters that are read at most for one page, when only a few of them block.
    private static let longestSearch = 1000

    private func list(_ request: RoutedRequest) async throws -> Response {
        let query = try Query(request.http, known: ["blocked", "after", "limit"])
        let isBlockedOnly = try query.flag("blocked")
        let page = try Page(query, key: ThrottleCursor.init)
        let size = isBlockedOnly ? Self.longestSearch : page.limit
        let counters = try await auth.throttle.list(after: page.after?.subject, limit: size)
        var (entries, last): ([JSON], ThrottleSubject?) = ([], nil)
        for counter in counters {
            guard entries.count < page.limit else { break }
            last = counter.subject
            let until = auth.throttle.blockedUntil(counter)
            if until != nil || !isBlockedOnly { entries.append(counter.json(blockedUntil: until)) }
        }
        let isEnd = counters.count < size && last == counters.last?.subject
        return page.answer(entries, next: isEnd ? nil : last.map(ThrottleCursor.init(subject:))).notStored()
    }

    private func clear(_ request: RoutedRequest) async throws -> Response {
        let query = try Query(request.http, known: ["user", "address", "all"])
        let (user, address, isAll) = (try query.value("user"), try query.value("address"), try query.flag("all"))
        guard [user != nil, address != nil, isAll].count(where: { $0 }) == 1 else {
            throw AuthError(.validationFailed, "give exactly one of user, address and all=true")
        }
        let count: Int
        if let user {
            count = try await auth.throttle.clear(username: user, in: auth.users, by: request.caller)
        } else if let address {
            guard let network = ClientNetwork(address) else {
                throw AuthError(.validationFailed, "address is not an IP address", field: "address")
            }
            count = try await auth.throttle.clear(from: network.blocks, by: request.caller)
        } else {
            count = try await auth.throttle.clear(from: nil, by: request.caller)
        }
        return .json(["cleared": .integer(count)])
    }
}

/// The subject of a counter as one word: base64url of the list of its parts.
private struct ThrottleCursor: LosslessStringConvertible, Sendable {
    let subject: ThrottleSubject

    init(subject: ThrottleSubject) { self.subject = subject }

    var description: String {
        let key = subject.key
        let parts: JSON = [.string(key.kind), .string(key.username), .string(key.network), .integer(Int(key.userID))]
        return Base64.url.encode(parts.bytes)
    }

    init?(_ text: String) {
        guard let bytes = Base64.url.decode(text.utf8), case .array(let list)? = JSON(text: bytes) else { return nil }
        var parts = list.makeIterator()
        guard let kind = parts.next()?.string, let username = parts.next()?.string,
            let network = parts.next()?.string, let userID = parts.next()?.integer, parts.next() == nil,
            !(username + network).utf8.contains(0),
            let subject = ThrottleSubject(
                ThrottleSubject.Key(kind: kind, username: username, network: network, userID: User.ID(userID)))
        else { return nil }
        self.subject = subject
    }
}
