public import Effects
public import Logging

/// Writes each record as one JSON object a line to the log of the node's effects.
///
/// Members: `time` (RFC 3339, UTC), `level`, `component`, `node`, `message`, `error` and `metadata`
/// where there are any. Lines have at most 16 KiB; longer texts are cut, and cut metadata is marked
/// with `truncated`.
public struct JSONLogHandler: LogHandler {
    public var metadata: Logger.Metadata = [:]
    public var metadataProvider: Logger.MetadataProvider?
    public var logLevel: Logger.Level
    private let component: String
    private let node: String
    private let clock: any EffectClock
    private let sink: any LogSink

    /// Names the component in metadata; it becomes a member of its own.
    static let componentKey = "component"

    public init(
        component: String,
        node: String,
        level: Logger.Level,
        clock: any EffectClock,
        sink: any LogSink
    ) {
        self.component = component
        self.node = node
        logLevel = level
        self.clock = clock
        self.sink = sink
    }

    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    public func log(event: LogEvent) {
        var merged = metadata
        if let provided = metadataProvider?.get() { merged.merge(provided) { _, new in new } }
        if let more = event.metadata { merged.merge(more) { _, new in new } }
        var name = component
        if let given = merged.removeValue(forKey: JSONLogHandler.componentKey) { name = "\(given)" }
        var line = LogLine()
        line.add("time", plain: clock.wallTime.rfc3339)
        line.add("level", plain: event.level.rawValue)
        line.add(name: name, as: "component")
        line.add(name: node, as: "node")
        line.add(message: event.message.description)
        if let error = event.error { line.add(name: "\(error)", as: "error") }
        line.add(merged)
        line.end()
        sink.write(line.text)
    }
}

extension Logger {
    /// This logger, speaking for a component.
    public func component(_ name: String) -> Logger {
        var logger = self
        logger[metadataKey: JSONLogHandler.componentKey] = .string(name)
        return logger
    }
}
