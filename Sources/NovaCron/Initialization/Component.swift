public import Determinism
public import Effects
import Units

/// A part of a node that is started at boot and stopped at the end.
///
/// The framework calls `initialize` and `start` once each in an attempt, and `stop` after every
/// attempt that failed or was cut short, in a rollback, and at the end: `stop` must release whatever
/// the component holds, from any state, also when it holds nothing. Components honour cancellation:
/// a timeout or a stop cancels the task that runs them.
public protocol Component: Sendable {
    var specification: ComponentSpecification { get }
    /// Replacements, tried in order after the last failed attempt. They provide what this component
    /// would have provided; with one of them the node is degraded.
    var fallbacks: [any Component] { get }

    /// Prepares: reads, checks, opens, provides values to dependents.
    func initialize(_ context: ComponentContext) async throws
    /// Begins to serve.
    func start(_ context: ComponentContext) async throws
    /// Works for as long as the node is READY: periodic checks, workers, schedules. It runs from
    /// READY, or from the component's own readiness when that is later, until the node has been
    /// drained, and is cancelled then. It may return early.
    func serve(_ context: ComponentContext) async
    /// Takes no new work and finishes what is under way, while `serve` still runs; cancelled at the
    /// drain's deadline.
    func drain(_ context: ComponentContext) async
    func stop(_ context: ComponentContext) async
    func healthCheck(_ context: ComponentContext) async -> ComponentHealth
}

extension Component {
    public var fallbacks: [any Component] { [] }
    public func start(_ context: ComponentContext) async throws {}
    public func serve(_ context: ComponentContext) async {}
    public func drain(_ context: ComponentContext) async {}
    public func stop(_ context: ComponentContext) async {}
    public func healthCheck(_ context: ComponentContext) async -> ComponentHealth { .healthy }
}

/// How a component is now.
public enum ComponentHealth: Hashable, Sendable {
    case healthy
    /// It serves, with less than it should have.
    case degraded(String)
    case unhealthy(String)
}

/// What a component works with: effects, the values of its dependencies, the journal.
public struct ComponentContext: Sendable {
    /// The component's name in the graph, also for its fallbacks.
    public let name: String
    /// Counted from one; fallbacks count on.
    public let attempt: Int
    public let effects: NodeEffects
    public let journal: BootJournal
    let container: DependencyContainer
    let seed: UInt64
    let entity: EntityID

    /// Gives dependents a value. Traps when the key belongs to another component.
    public func provide<Value>(_ key: DependencyKey<Value>, _ value: Value) {
        precondition(
            key.component == name,
            "\(name) provides '\(key.name)', which belongs to \(key.component)"
        )
        container.provide(key, value)
    }

    /// The value that a dependency has provided.
    ///
    /// - Throws: `DependencyError` when its component is not among those this one may depend on, or is
    ///   not there.
    public func require<Value>(_ key: DependencyKey<Value>) throws(DependencyError) -> Value {
        try container.require(key, for: name)
    }

    /// As `require`, or `nil` when the component is not there; for optional dependencies.
    public func find<Value>(_ key: DependencyKey<Value>) throws(DependencyError) -> Value? {
        try container.find(key, for: name)
    }

    /// A stream of random numbers for one purpose of this node.
    public func random(_ purpose: StaticString) -> SeededRandom {
        SeededRandom(seed: seed, entity: entity, purpose: purpose, incarnation: UInt32(attempt))
    }
}
