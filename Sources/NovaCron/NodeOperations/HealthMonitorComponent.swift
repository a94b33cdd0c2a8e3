import Effects
public import Initialization
import NodeFoundation
import Units

/// `health.monitor`: asks all components how they are while the node serves, and keeps the answers
/// where the health server reads them.
public struct HealthMonitorComponent: Component {
    public let specification = ComponentSpecification(
        name: "health.monitor",
        phase: .post,
        dependencies: ["configuration", "health.server"],
        criticality: .warn,
        timeout: .seconds(5)
    )
    private let status: NodeStatus
    private let metrics: NodeMetrics

    public init(status: NodeStatus, metrics: NodeMetrics) {
        self.status = status
        self.metrics = metrics
    }

    public func initialize(_ context: ComponentContext) async throws {
        _ = try context.require(NodeKeys.configuration)
    }

    /// Half of the allowed age passes between two rounds, the other half is left for the round.
    public func serve(_ context: ComponentContext) async {
        guard let settings = try? context.require(NodeKeys.configuration).health else { return }
        let clock = context.effects.clock
        while !Task.isCancelled {
            let next = clock.now.advanced(by: settings.maximumAge / 2)
            await status.refresh(timeout: settings.checkTimeout, clock: clock)
            metrics.record(context.effects.machine.usage())
            do {
                try await clock.sleep(until: next)
            } catch {
                return
            }
        }
    }
}
