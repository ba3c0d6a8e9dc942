import Logging

/// A swift-log handler that writes to the sink and adds the id of the request.
struct SinkLogHandler: LogHandler {
    let sink: LogSink
    /// The level of this logger; when it has none of its own, that of the sink, which can change.
    var logLevel: Logger.Level {
        get { ownLevel ?? sink.level }
        set { ownLevel = newValue }
    }
    private var ownLevel: Logger.Level?
    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?

    init(sink: LogSink) {
        self.sink = sink
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let all = metadata.merging(event.metadata ?? [:]) { $1 }
        sink.write(event.level, event.message.description) { line in
            for (name, value) in all.sorted(by: { $0.key < $1.key }) where name != "hb.request.id" {
                line.field(name, value.description)
            }
            guard let mark = RequestMark.current else { return }
            line.field("address", mark.address ?? "-")
            line.field("request_id", ascii: mark.id.digits)
        }
    }
}
