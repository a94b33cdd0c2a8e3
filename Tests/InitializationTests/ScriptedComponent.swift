import Determinism
import Effects
import Initialization
import Synchronization
import Units

/// A component that does what a test wants and tells the world about every call.
final class ScriptedComponent: Component {
    let specification: ComponentSpecification
    let fallbacks: [any Component]
    private let world: BootWorld
    private let script: Script
    private let attempts = Mutex(0)

    struct Script: Sendable {
        /// How long initialization takes.
        var duration = Interval.zero
        /// The attempts that fail, counted from one.
        var failures: Set<Int> = []
        /// Whether `start` fails instead of `initialize`.
        var failsInStart = false
        var stopDuration = Interval.zero
        var drainDuration = Interval.zero
        /// Asked for in each attempt.
        var requires: [String] = []
        var health = ComponentHealth.healthy
        var healthDuration = Interval.zero
        /// How long it works while the node serves; `nil` works until it is cancelled.
        var serves: Interval? = .zero
    }

    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    init(
        _ specification: ComponentSpecification,
        in world: BootWorld,
        _ script: Script = Script(),
        fallbacks: [any Component] = []
    ) {
        self.specification = specification
        self.world = world
        self.script = script
        self.fallbacks = fallbacks
    }

    /// A component that takes this long and waits for those.
    convenience init(
        _ name: String,
        _ phase: BootPhase = .core,
        needs dependencies: [String] = [],
        takes duration: Interval = .zero,
        in world: BootWorld
    ) {
        let specification = ComponentSpecification(
            name: name,
            phase: phase,
            dependencies: dependencies,
            timeout: .seconds(60)
        )
        self.init(specification, in: world, Script(duration: duration))
    }

    private var name: String { specification.name }

    func initialize(_ context: ComponentContext) async throws {
        let attempt = attempts.withLock { attempts in
            attempts += 1
            return attempts
        }
        world.note("initialize \(name)")
        for required in script.requires { _ = try context.require(Self.key(of: required)) }
        try await context.effects.clock.sleep(for: script.duration)
        if script.failures.contains(attempt), !script.failsInStart {
            throw Failure(description: "\(name) failed attempt \(attempt)")
        }
        context.provide(Self.key(of: context.name), "value of \(name)")
    }

    func start(_ context: ComponentContext) async throws {
        world.note("start \(name)")
        if script.failsInStart, script.failures.contains(attempts.withLock { $0 }) {
            throw Failure(description: "\(name) did not start")
        }
    }

    func serve(_ context: ComponentContext) async {
        world.note("serve \(name)")
        try? await context.effects.clock.sleep(for: script.serves ?? .seconds(1_000_000))
        world.note("\(Task.isCancelled ? "cut" : "end") \(name)")
    }

    func drain(_ context: ComponentContext) async {
        world.note("drain \(name)")
        try? await context.effects.clock.sleep(for: script.drainDuration)
    }

    func stop(_ context: ComponentContext) async {
        world.note("stop \(name)")
        try? await context.effects.clock.sleep(for: script.stopDuration)
    }

    func healthCheck(_ context: ComponentContext) async -> ComponentHealth {
        try? await context.effects.clock.sleep(for: script.healthDuration)
        return script.health
    }

    static func key(of component: String) -> DependencyKey<String> {
        DependencyKey("value", from: component)
    }
}
