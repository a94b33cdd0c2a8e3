import Effects
import Initialization
import SimulationKernel
import Testing
import Units

// Goal: components start when they may, failures lead where their criticality says, and the end
// stops everything in reverse order.
// Method: scripted components under virtual time; exact times and call orders.
@Suite struct NodeLifecycleTests {
    private func plansGraph(in world: BootWorld) -> [any Component] {
        PlansGraph.components.map { entry in
            ScriptedComponent(entry.specification, in: world, .init(duration: entry.duration))
        }
    }

    @Test(arguments: [
        (StartOrder.sequential, Interval.milliseconds(21_400)),
        (.levelParallel, .milliseconds(13_800)),
        (.dependencyReady, .milliseconds(12_400)),
    ])
    func thePlansGraphBootsInThePublishedTimes(order: StartOrder, time: Interval) throws {
        let world = BootWorld()
        let node = try world.lifecycle(plansGraph(in: world), policy: BootPolicy(order: order))
        #expect(try world.run(node) == .stopped(left: []))
        #expect(world.readyTime == Instant.zero + time)
    }

    @Test func theConcurrencyLimitHoldsAndTheLongestWayGoesFirst() throws {
        let world = BootWorld()
        let components = ["a", "b", "c", "d"].enumerated().map { index, name in
            ScriptedComponent(
                ComponentSpecification(
                    name: name,
                    phase: .core,
                    expectedDuration: .seconds(Int64(index))
                ),
                in: world,
                .init(duration: .seconds(1))
            )
        }
        let node = try world.lifecycle(components, policy: BootPolicy(concurrencyLimit: 2))
        _ = try world.run(node)
        #expect(world.readyTime == Instant.zero + .seconds(2))
        let firsts = world.calls.filter { $0.hasPrefix("initialize") }.prefix(2)
        #expect(Set(firsts) == ["initialize c", "initialize d"])
    }

    @Test func failedAttemptsAreStoppedAndRepeatedAfterGrowingDelays() throws {
        let world = BootWorld()
        let specification = ComponentSpecification(
            name: "a",
            phase: .core,
            retry: RetryPolicy(
                attempts: 4,
                delay: .seconds(1),
                factor: 2,
                maximumDelay: .seconds(3)
            )
        )
        let a = ScriptedComponent(specification, in: world, .init(failures: [1, 2, 3]))
        #expect(try world.run(world.lifecycle([a])) == .stopped(left: []))
        #expect(world.readyTime == Instant.zero + .seconds(1 + 2 + 3))
        #expect(
            world.calls.prefix(8) == [
                "initialize a", "stop a", "initialize a", "stop a", "initialize a", "stop a",
                "initialize a", "start a",
            ]
        )
    }

    @Test func delaysAreSpreadByTheSeedWithinTheJitter() throws {
        var times: Set<Int64> = []
        for seed in 1...20 as ClosedRange<UInt64> {
            let world = BootWorld(seed: seed)
            let specification = ComponentSpecification(
                name: "a",
                phase: .core,
                retry: RetryPolicy(attempts: 2, delay: .seconds(10), jitter: 0.1)
            )
            let a = ScriptedComponent(specification, in: world, .init(failures: [1]))
            _ = try world.run(world.lifecycle([a], seed: seed))
            let ready = try #require(world.readyTime)
            #expect((Instant.zero + .seconds(9)...Instant.zero + .seconds(11)).contains(ready))
            times.insert(ready.nanoseconds)
        }
        #expect(times.count == 20)
    }

    @Test func anAttemptThatTakesTooLongFails() throws {
        let world = BootWorld()
        let specification = ComponentSpecification(name: "a", phase: .core, timeout: .seconds(5))
        let a = ScriptedComponent(specification, in: world, .init(duration: .seconds(9)))
        let outcome = try world.run(world.lifecycle([a]))
        #expect(outcome == .failed(component: "a", reason: "not ready within 5 s", left: []))
        #expect(world.executor.now == Instant.zero + .seconds(5))
    }

    @Test func aFallbackTakesThePlaceAndDegradesTheNode() throws {
        let world = BootWorld()
        let memory = ScriptedComponent("cache.memory", takes: .seconds(1), in: world)
        let cache = ScriptedComponent(
            ComponentSpecification(name: "cache", phase: .core),
            in: world,
            .init(failures: [1], failsInStart: true),
            fallbacks: [memory]
        )
        let user = ScriptedComponent(
            ComponentSpecification(name: "user", phase: .service, dependencies: ["cache"]),
            in: world,
            .init(requires: ["cache"])
        )
        let node = try world.lifecycle([cache, user])
        #expect(try world.run(node) == .stopped(left: []))
        #expect(world.kinds.contains(.componentReady(component: "cache", fallback: "cache.memory")))
        #expect(world.kinds.contains(.ready(degraded: ["cache"])))
        #expect(
            world.calls.prefix(4) == [
                "initialize cache", "start cache", "stop cache", "initialize cache.memory",
            ]
        )
        #expect(world.calls.last == "stop cache.memory")
    }

    @Test(arguments: [Criticality.degrade, .warn])
    func withoutAnUncriticalComponentTheNodeRunsAndSkipsWhatNeedsIt(
        criticality: Criticality
    ) throws {
        let world = BootWorld()
        func part(_ name: String, _ needs: [String], _ wants: [String] = [], fails: Bool = false)
            -> ScriptedComponent
        {
            ScriptedComponent(
                ComponentSpecification(
                    name: name,
                    phase: .service,
                    dependencies: needs,
                    optionalDependencies: wants,
                    criticality: name == "core" ? .halt : criticality
                ),
                in: world,
                .init(failures: fails ? [1] : [])
            )
        }
        let node = try world.lifecycle([
            part("core", []), part("a", ["core"], fails: true), part("b", ["a"]),
            part("c", ["b"]), part("d", ["core"], ["a"]),
        ])
        #expect(try world.run(node) == .stopped(left: []))
        #expect(world.kinds.contains(.ready(degraded: ["a", "b", "c"])))
        #expect(
            world.kinds.contains(
                .componentSkipped(component: "c", criticality: criticality, missing: "b")
            )
        )
        #expect(!world.calls.contains("initialize b"))
        #expect(world.calls.contains("start d"))
    }

    @Test func aHaltingFailureRollsBackInReverseOrder() throws {
        let world = BootWorld()
        let broken = ScriptedComponent(
            ComponentSpecification(name: "c", phase: .core, dependencies: ["b"]),
            in: world,
            .init(duration: .seconds(1), failures: [1])
        )
        let slow = ScriptedComponent("slow", needs: ["a"], takes: .seconds(9), in: world)
        let node = try world.lifecycle([
            ScriptedComponent("a", in: world), ScriptedComponent("b", needs: ["a"], in: world),
            broken, slow,
        ])
        let outcome = try world.run(node)
        #expect(outcome == .failed(component: "c", reason: "c failed attempt 1", left: []))
        // The one that was still trying is cancelled and stopped, too.
        #expect(world.calls.suffix(3) == ["stop slow", "stop b", "stop a"])
        #expect(world.executor.now == Instant.zero + .seconds(1))
        #expect(world.kinds.last == .rollbackEnded(left: []))
    }

    @Test func aBootThatIsLateSaysForWhomItWaited() throws {
        let world = BootWorld()
        let node = try world.lifecycle(
            [
                ScriptedComponent("a", in: world),
                ScriptedComponent("b", takes: .seconds(40), in: world),
                ScriptedComponent("c", .post, needs: ["b"], in: world),
            ],
            policy: BootPolicy(bootDeadline: .seconds(30))
        )
        #expect(try world.run(node) == .late(waitingFor: ["b", "c"], left: []))
        #expect(world.executor.now == Instant.zero + .seconds(30))
    }

    @Test func whatDoesNotStopInTimeIsNamed() throws {
        let world = BootWorld()
        let stuck = ScriptedComponent(
            ComponentSpecification(name: "stuck", phase: .core, dependencies: ["a"]),
            in: world,
            .init(stopDuration: .seconds(90))
        )
        let node = try world.lifecycle([ScriptedComponent("a", in: world), stuck])
        #expect(try world.run(node) == .stopped(left: ["a", "stuck"].sorted().reversed()))
        #expect(world.executor.now == Instant.zero + .seconds(10))
    }

    @Test func componentsServeFromReadinessUntilTheNodeIsDrained() throws {
        let world = BootWorld()
        let worker = ScriptedComponent(
            ComponentSpecification(name: "worker", phase: .service),
            in: world,
            .init(drainDuration: .seconds(3), serves: nil)
        )
        let model = ScriptedComponent(
            ComponentSpecification(
                name: "model",
                phase: .service,
                timeout: .seconds(60),
                holdsReadiness: false
            ),
            in: world,
            .init(duration: .seconds(5), serves: .seconds(1))
        )
        let node = try world.lifecycle([worker, model])
        #expect(try world.run(node, serving: .seconds(20)) == .stopped(left: []))
        #expect(world.readyTime == .zero)
        let complete = world.events.first { $0.kind == .bootCompleted(degraded: []) }
        #expect(complete?.time == Instant.zero + .seconds(5))
        let drained = try #require(world.calls.firstIndex(of: "drain worker"))
        let cut = try #require(world.calls.firstIndex(of: "cut worker"))
        let stopped = try #require(world.calls.firstIndex(of: "stop worker"))
        #expect(drained < cut && cut < stopped)
        #expect(world.calls.contains("end model"))
        #expect(world.executor.now == Instant.zero + .seconds(23))
    }

    @Test func valuesComeOnlyFromDeclaredDependenciesThatAreThere() throws {
        let world = BootWorld()
        func user(_ name: String, _ needs: [String], asks required: String) -> ScriptedComponent {
            ScriptedComponent(
                ComponentSpecification(
                    name: name,
                    phase: .core,
                    dependencies: needs,
                    criticality: .warn
                ),
                in: world,
                .init(requires: [required])
            )
        }
        let node = try world.lifecycle([
            ScriptedComponent("a", in: world), user("direct", ["a"], asks: "a"),
            user("through", ["direct"], asks: "a"), user("stranger", [], asks: "a"),
        ])
        _ = try world.run(node)
        #expect(world.kinds.contains(.ready(degraded: ["stranger"])))
        let reason = world.kinds.compactMap { kind in
            if case .componentFailed("stranger", _, let reason) = kind { reason } else { nil }
        }
        #expect(reason == ["stranger asks for 'value' of a, which is not among its dependencies"])
    }

    @Test func healthAsksAllAtOnceAndDoesNotWaitForEver() throws {
        let world = BootWorld()
        func part(_ name: String, _ script: ScriptedComponent.Script) -> ScriptedComponent {
            ScriptedComponent(ComponentSpecification(name: name, phase: .core), in: world, script)
        }
        let node = try world.lifecycle([
            part("good", .init(healthDuration: .seconds(1))),
            part("weak", .init(health: .degraded("half"), healthDuration: .seconds(1))),
            part("silent", .init(healthDuration: .seconds(100))),
        ])
        _ = try world.executor.run {
            await node.run { node in
                world.note("\(await node.health(timeout: .seconds(2)).map(\.health))")
            }
        }
        let expected: [ComponentHealth] = [
            .healthy, .degraded("half"), .unhealthy("no answer within 2 s"),
        ]
        #expect(world.calls.contains("\(expected)"))
        #expect(world.executor.now == Instant.zero + .seconds(2))
    }

    @Test func anUnwritableJournalEndsTheBoot() throws {
        let world = BootWorld()
        let journal = BootJournal(effects: world.effects)
        let a = ScriptedComponent("a", in: world)
        let outcome = try world.executor.run {
            try? await journal.begin(at: "/boot.journal")
            world.files.fail(with: .full)
            return try? await world.lifecycle([a], journal: journal).run { _ in }
        }
        let reason = "the boot journal cannot be written: /boot.journal: the disk is full"
        #expect(outcome == .failed(component: "journal", reason: reason, left: []))
        #expect(world.calls.last == "stop a")
    }
}
