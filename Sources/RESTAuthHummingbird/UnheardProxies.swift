package import HTTPTypes
import RESTAuth
import Synchronization

/// The senders of fields in which a proxy names its client that are not believed: proxies that are
/// not trusted, and trusted ones that use the other family (``ForwardedFamily``) or name no
/// address.
///
/// All clients of such a proxy count as one, and their wrong passwords together, so one warning an
/// hour says what to set. Anybody who reaches the server can send such a field. So only the most
/// frequent senders are remembered, and nothing that they have written is repeated.
package final class UnheardProxies: Sendable {
    package struct Sighting: Sendable, Hashable {
        /// The address at the other end of the connection.
        package let address: String
        package let field: HTTPField.Name
        package let reason: Reason
    }

    /// The reason why the sender is not believed.
    package enum Reason: Sendable, Hashable {
        /// The sender is not a trusted proxy.
        case notNamed
        /// The sender is trusted, and sends only fields of the other family.
        case otherFamily
        /// The sender is trusted, and the last value that it writes is no address.
        case noAddress
    }

    private struct State {
        /// The number of requests of each since the last warning.
        var counts: [Sighting: Int] = [:]
        var nextWarning: ContinuousClock.Instant?
    }

    /// The most senders that are remembered.
    package static let capacity = 16
    private static let interval = Duration.seconds(3600)

    private let named: [Network]
    private let family: ForwardedFamily
    /// The fields of both families, those that count first.
    private let names: [HTTPField.Name]
    private let now: @Sendable () -> ContinuousClock.Instant
    private let state = Mutex(State())

    init(named: [Network], family: ForwardedFamily, now: @escaping @Sendable () -> ContinuousClock.Instant) {
        self.named = named
        self.family = family
        names = family.addressNames + family.other.addressNames
        self.now = now
    }

    /// The senders since the last warning, the most frequent first.
    package var sightings: [Sighting] {
        state.withLock { Self.sorted($0.counts) }
    }

    /// The text of the warning: what to do about a sender.
    package func advice(on sighting: Sighting) -> String {
        let (address, field) = (sighting.address, sighting.field.rawName)
        switch sighting.reason {
        case .otherFamily:
            return
                """
                \(address), which trusted_proxies names, sends \(field), which is ignored, so all its clients count as \
                one: set --forwarded-fields \(family.other.rawValue)
                """
        case .noAddress:
            return
                """
                \(address), which trusted_proxies names, sends in \(field) what ends with no IP address, so those \
                clients of it count as one: have it send the address of its client there
                """
        case .notNamed: break
        }
        let setting = (named.map(\.description) + [address]).joined(separator: ",")
        return
            """
            \(address) sends \(field) and is not in trusted_proxies, so the field is ignored and all who come through \
            \(address) count as one client: if that is your proxy, set --trusted-proxies \(setting), or a range in the \
            place of an address that changes; if it is not, nothing needs to be done
            """
    }

    /// Counts the sender of these fields, if they have one that names a client.
    /// - Returns: the most frequent sender since the last warning, once an hour at most; `nil` when
    ///   no warning is due.
    package func notice(_ fields: HTTPFields, from address: String, _ reason: Reason) -> Sighting? {
        guard let field = names.first(where: { fields.contains($0) }) else { return nil }
        let sighting = Sighting(address: Network.canonical(address) ?? address, field: field, reason: reason)
        let time = now()
        return state.withLock { state in
            Self.count(sighting, in: &state.counts)
            if let next = state.nextWarning, time < next { return nil }
            state.nextWarning = time + Self.interval
            let most = Self.sorted(state.counts).first
            state.counts = [:]
            return most
        }
    }

    /// Counts so that a frequent sender is never lost among many that come once (Metwally et al.,
    /// the "space-saving" algorithm).
    private static func count(_ sighting: Sighting, in counts: inout [Sighting: Int]) {
        if let count = counts[sighting] {
            counts[sighting] = count + 1
        } else if counts.count < capacity {
            counts[sighting] = 1
        } else if let least = counts.min(by: { $0.value < $1.value }) {
            counts[least.key] = nil
            counts[sighting] = least.value + 1
        }
    }

    private static func sorted(_ counts: [Sighting: Int]) -> [Sighting] {
        counts.sorted { ($1.value, $0.key.address) < ($0.value, $1.key.address) }.map(\.key)
    }
}
