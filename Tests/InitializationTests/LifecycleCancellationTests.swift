import Determinism
import Effects
import Initialization
import Synchronization
import SimulationKernel
import Testing
import Units

// Goal: a node can be stopped at any moment, and whatever was touched is stopped, dependents first.
// Method: the same boot is stopped at its n-th event, for every n, and at random times over many
// seeds, with components that fail, fall back, load late and drain slowly.
@Suite struct LifecycleCancellationTests {
    private func components(in world: BootWorld) -> [any Component] {
        func part(
            _ name: String,
            _ phase: BootPhase,
            _ needs: [String],
            _ script: ScriptedComponent.Script,
            attempts: Int = 1,
            holdsReadiness: Bool = true,
            fallback: (any Component)? = nil
        ) -> any Component {
            ScriptedComponent(
                ComponentSpecification(
                    name: name,
                    phase: phase,
                    dependencies: needs,
                    retry: RetryPolicy(attempts: attempts, delay: .milliseconds(300)),
                    holdsReadiness: holdsReadiness
                ),
                in: world,
                script,
                fallbacks: fallback.map { [$0] } ?? []
            )
        }
        let memory = ScriptedComponent("cache.memory", takes: .milliseconds(50), in: world)
        return [
            part("a", .pre, [], .init(duration: .milliseconds(100))),
            part(
                "b",
                .core,
                ["a"],
                .init(duration: .milliseconds(200), failures: [1]),
                attempts: 2
            ),
            part("cache", .core, ["a"], .init(failures: [1]), fallback: memory),
            part("c", .service, ["b"], .init(drainDuration: .milliseconds(100), serves: nil)),
            part("model", .service, ["a"], .init(duration: .seconds(2)), holdsReadiness: false),
            part("d", .post, ["c", "cache"], .init(stopDuration: .milliseconds(10))),
        ]
    }

    /// Every component that was begun is stopped after its last beginning, and before what it needs.
    private func checkStopped(_ world: BootWorld, _ comment: Comment) {
        let needs = ["b": "a", "c": "b", "d": "c", "model": "a"]
        for name in ["a", "b", "cache", "cache.memory", "c", "model", "d"] {
            guard let begun = world.calls.lastIndex(of: "initialize \(name)") else { continue }
            let stopped = world.calls.lastIndex(of: "stop \(name)")
            #expect(stopped ?? -1 > begun, comment)
            if let below = needs[name], let stopped {
                #expect(stopped < world.calls.lastIndex(of: "stop \(below)") ?? -1, comment)
            }
        }
    }

    @Test func aStopAtEveryEventLeavesNothing() throws {
        let whole = BootWorld()
        _ = try whole.run(whole.lifecycle(components(in: whole)), serving: .seconds(3))
        #expect(whole.events.count > 30)
        for target in 1...whole.events.count {
            let world = BootWorld()
            let count = Mutex(0)
            let handle = Mutex<NodeLifecycle?>(nil)
            let node = try world.lifecycle(components(in: world)) { _ in
                let isTarget = count.withLock { count in
                    count += 1
                    return count == target
                }
                if isTarget { handle.withLock { $0 }?.requestStop() }
            }
            handle.withLock { $0 = node }
            let outcome = try world.run(node, serving: .seconds(1000))
            handle.withLock { $0 = nil }
            let wasReady = world.readyTime != nil
            #expect(outcome == (wasReady ? .stopped(left: []) : .cancelled(left: [])))
            checkStopped(world, "stopped at event \(target)")
        }
    }

    @Test func aStopAtAnyTimeLeavesNothing() throws {
        var outcomes: Set<String> = []
        for seed in 1...500 as ClosedRange<UInt64> {
            let world = BootWorld(seed: seed)
            var random = SeededRandom(
                seed: seed,
                entity: EntityID(.node, 0),
                purpose: "stop time"
            )
            let time = random.interval(in: .zero ... .seconds(3))
            let node = try world.lifecycle(components(in: world), seed: seed)
            let clock = world.effects.clock
            let outcome = try world.executor.run {
                async let ended = node.run { _ in try? await clock.sleep(for: .seconds(1000)) }
                try? await clock.sleep(for: time)
                node.requestStop()
                return await ended
            }
            outcomes.insert("\(outcome)")
            checkStopped(world, "seed \(seed), stopped at \(time)")
        }
        #expect(outcomes == ["cancelled(left: [])", "stopped(left: [])"])
    }

    @Test func cancellingTheCallerIsAStop() throws {
        for seed in 1...200 as ClosedRange<UInt64> {
            let world = BootWorld(seed: seed)
            let node = try world.lifecycle(components(in: world), seed: seed)
            let clock = world.effects.clock
            let outcome = try world.executor.run {
                await withTaskGroup(of: LifecycleOutcome?.self) { group in
                    group.addTask {
                        await node.run { _ in try? await clock.sleep(for: .seconds(99)) }
                    }
                    group.addTask {
                        try? await clock.sleep(for: .milliseconds(Int64(seed) * 7))
                        return nil
                    }
                    var outcome: LifecycleOutcome?
                    for await ended in group {
                        if let ended { outcome = ended } else { group.cancelAll() }
                    }
                    return outcome
                }
            }
            let expected: LifecycleOutcome =
                world.readyTime == nil ? .cancelled(left: []) : .stopped(left: [])
            #expect(outcome == expected)
            checkStopped(world, "seed \(seed)")
        }
    }
}
