import Effects
public import Initialization
import Logging
import Units

/// `logger`: provides a logger that writes JSON lines through the node's effects. It is handed on,
/// not set for the whole process, so that several nodes can run in one.
public struct LoggerComponent: Component {
    public let specification = ComponentSpecification(
        name: "logger",
        phase: .pre,
        dependencies: ["configuration"],
        criticality: .halt,
        timeout: .seconds(5)
    )

    public init() {}

    public func initialize(_ context: ComponentContext) async throws {
        let configuration = try context.require(NodeKeys.configuration)
        // The configuration knows swift-log's levels only.
        let level = Logger.Level(rawValue: configuration.logging.level) ?? .info
        let effects = context.effects
        let logger = Logger(label: "node") { label in
            JSONLogHandler(
                component: label,
                node: configuration.name,
                level: level,
                clock: effects.clock,
                sink: effects.log
            )
        }
        context.provide(NodeKeys.logger, logger)
    }
}
