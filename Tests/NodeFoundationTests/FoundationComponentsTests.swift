import Effects
import HardwareModel
import Initialization
import NodeFoundation
import SimulatedEffects
import SimulationKernel
import Synchronization
import Testing
import Units

// Goal: the components boot, serve and end as documented, and fail with everything that is missing.
// Method: lifecycles of them on modelled hosts under virtual time.
@Suite struct FoundationComponentsTests {
    private final class World: Sendable {
        let executor = VirtualExecutor(seed: 1)
        let network = SimulatedNetwork(
            defaultPath: NetworkPath(
                roundTrip: .milliseconds(200),
                jitter: .milliseconds(5),
                loss: .percent(0.5),
                rate: .megabits(100)
            )
        )
        let host: SimulatedHost

        init(_ variables: [(name: String, value: String)] = []) {
            let profile = HardwareProfile(
                name: "test",
                measured: .init(machine: "none", date: "none", method: "chosen"),
                cores: 2,
                speeds: .init { _ in 1e9 },
                disk: .init(write: 100e6, fsync: .milliseconds(1))
            )
            host = SimulatedHost(
                NodeID(1),
                settings: HostSettings(
                    name: "alpha",
                    address: "10.0.0.1",
                    profile: profile,
                    environmentVariables: variables
                ),
                seed: 1,
                executor: executor,
                network: network
            )
        }

        /// What a life showed; lines of the log stay with the process.
        struct Life: Sendable {
            var outcome: LifecycleOutcome
            var events: [LifecycleEvent]
            var log: [String]
        }

        /// Boots all components of the room and runs `body` while the node is READY.
        ///
        /// - Parameter file: the configuration's text; empty names a file that is not there.
        func live(
            file: String? = nil,
            crash: CrashPlan = .never,
            _ body: @escaping @Sendable (NodeLifecycle, NodeEffects) async throws -> Void = {
                _,
                _ in
            }
        ) throws -> Life? {
            let process = host.startProcess(incarnation: UInt32(host.crashCount), crash: crash)
            let events = Mutex<[LifecycleEvent]>([])
            let effects = process.effects
            let lifecycle = try NodeLifecycle(
                [
                    ConfigurationComponent(
                        path: file.map { _ in "/node.yaml" },
                        dataDirectory: "/data"
                    ),
                    LoggerComponent(),
                    InstanceLockComponent(), ResourcesComponent(), DiscoveryComponent(),
                    NetworkEnvironmentComponent(),
                ],
                policy: BootPolicy(),
                effects: effects,
                journal: BootJournal(effects: effects),
                seed: 1,
                entity: EntityID(.node, 1)
            ) { event in
                events.withLock { $0.append(event) }
            }
            let outcome = try executor.run {
                await process.run { () -> LifecycleOutcome in
                    if let file, !file.isEmpty {
                        try? await effects.files.replace(
                            "/node.yaml",
                            with: Array(file.utf8),
                            permissions: 0o644
                        )
                    }
                    return await lifecycle.run { node in
                        do {
                            try await body(node, effects)
                        } catch {
                            Issue.record("\(error)")
                        }
                    }
                }
            }
            let log = process.log.lines
            process.end()
            guard let outcome else { return nil }
            return Life(outcome: outcome, events: events.withLock { $0 }, log: log)
        }
    }

    private static let small = """
        resources: {minimum-cores: 2, minimum-memory: 1 GiB, minimum-disk: 1 MiB}
        discovery: {period: 5 s}
        """

    @Test func aNodeOfDefaultsStartsDegradedOnASmallMachine() throws {
        let health = Mutex<[HealthReport]>([])
        let life = try #require(
            try World().live { node, effects in
                let reports = await node.health(timeout: .seconds(1))
                health.withLock { $0 = reports }
                #expect(
                    node.value(NodeKeys.networkEnvironment)?.assessment.reason
                        == "no peers to measure"
                )
                #expect(node.value(NodeKeys.networkEnvironment)?.assessment.mode == .hybrid)
                let folder = try await effects.files.attributes(of: "/data")
                #expect(folder?.isFolder == true && folder?.permissions == 0o700)
            }
        )
        #expect(life.outcome == .stopped(left: []))
        let resources = health.withLock { $0.first { $0.component == "resources" } }
        #expect(
            resources?.health
                == .degraded(
                    "2 cores, at least 4 asked for; 64 GiB of free disk, at least 100 GiB asked for"
                ),
            "\(String(describing: resources))"
        )
        #expect(life.log.contains { $0.contains(#""level":"warning","component":"resources""#) })
        #expect(life.log.allSatisfy { $0.hasPrefix(#"{"time":"2026-01-01T00:00:0"#) })
    }

    @Test func missingResourcesAreToldAtOnceWhenTheyHalt() throws {
        let life = try #require(
            try World([("NOVACRON_RESOURCES_BELOW_MINIMUM", "halt")]).live()
        )
        guard case .failed("resources", let reason, _) = life.outcome else {
            Issue.record("\(life.outcome)")
            return
        }
        #expect(reason.contains("2 cores") && reason.contains("of free disk"))
    }

    @Test func badConfigurationsHaltWithEverythingThatIsWrong() throws {
        let life = try #require(
            try World([("NOVACRON_BOOT_ORDR", "sequential")]).live(
                file: "nam: a\ncache: {bytes: 1}\n"
            )
        )
        guard case .failed("configuration", let reason, []) = life.outcome else {
            Issue.record("\(life.outcome)")
            return
        }
        #expect(reason.split(separator: "\n").count == 3, "\(reason)")
        let absent = try #require(try World().live(file: ""))
        #expect("\(absent.outcome)".contains("/node.yaml: there is no such file"))
    }

    /// A second instance names the first; the lock is free afterwards, and the journal tells of the
    /// life before.
    @Test func oneNodeADataDirectory() throws {
        let world = World()
        let life = try world.live { node, effects in
            let second = world.host.startProcess(incarnation: 9)
            let other = try NodeLifecycle(
                [ConfigurationComponent(dataDirectory: "/data"), InstanceLockComponent()],
                policy: BootPolicy(),
                effects: second.effects,
                journal: BootJournal(effects: second.effects),
                seed: 1,
                entity: EntityID(.node, 2)
            ) { _ in
            }
            let outcome = await other.run { _ in Issue.record("two nodes in one folder") }
            #expect("\(outcome)".contains("belongs to a node that runs: process 1000"))
            second.end()
        }
        #expect(life?.outcome == .stopped(left: []))
        #expect(try world.live()?.outcome == .stopped(left: []))
    }

    /// After a crash right before and right after the step, the node starts.
    @Test(arguments: CrashPoint.Side.allCases) func crashesLeaveAStartableNode(
        _ side: CrashPoint.Side
    ) throws {
        let world = World()
        let point = CrashPoint(step: "instance-lock.folder", side: side)
        #expect(try world.live(crash: .point(point)) == nil)
        #expect(world.host.crashCount == 1)
        #expect(try world.live()?.outcome == .stopped(left: []))
    }

    /// A new list is read, a bad one keeps the old, a repaired one is read again.
    @Test func theListOfNodesFollowsItsFile() throws {
        let row = "{name: b, region: r, control: \"b:1\", dwcp: \"b:2\", probes: \"b:3\"}"
        let life = try World().live(file: FoundationComponentsTests.small) { node, effects in
            let directory = try #require(node.value(NodeKeys.directory))
            #expect(directory.nodes.isEmpty && directory.problem == nil)
            func write(_ text: String) async throws {
                try await effects.files.replace(
                    "/data/nodes.yaml",
                    with: Array(text.utf8),
                    permissions: 0o600
                )
                try await effects.clock.sleep(for: .seconds(6))
            }
            try await write("nodes: [\(row)]")
            #expect(directory.nodes.map(\.name) == ["b"])
            let generation = directory.generation
            try await write("nodes: [{name: b}]")
            #expect(directory.nodes.map(\.name) == ["b"] && directory.generation == generation)
            #expect(directory.problem?.contains("nodes.yaml:1:9: 'region' is missing") == true)
            let reports = await node.health(timeout: .seconds(1))
            let health = reports.first { $0.component == "discovery" }?.health
            #expect(health == directory.problem.map { .degraded($0) })
            try await effects.files.remove("/data/nodes.yaml")
            try await effects.clock.sleep(for: .seconds(6))
            #expect(directory.problem?.contains("is gone") == true && directory.nodes.count == 1)
            try await write("nodes: []")
            #expect(directory.nodes.isEmpty && directory.problem == nil)
        }
        #expect(life?.outcome == .stopped(left: []))
        #expect(life?.log.contains { $0.contains("the last list stays") } == true)
    }

    /// Peers that answer are judged within two seconds, silent ones do not delay that, and a path
    /// that changes while the node serves changes the mode.
    @Test func theModeIsMeasuredAtBootAndWhileServing() throws {
        let world = World([
            ("NOVACRON_ENVIRONMENT_PROBES", "10.0.0.9:7402,10.0.0.8:7402"),
            ("NOVACRON_ENVIRONMENT_PERIOD", "5 s"), ("NOVACRON_ENVIRONMENT_DWELL", "10 s"),
        ])
        world.network.addResponder(SocketEndpoint(host: "10.0.0.9", port: 7402))
        let measured = try world.live { node, effects in
            try await effects.clock.sleep(for: .seconds(2))
            let environment = try #require(node.value(NodeKeys.networkEnvironment))
            let first = environment.assessment
            #expect(first.mode == .internet && first.links.map(\.mode) == [nil, .internet])
            world.network.setPath(
                from: NodeID(1),
                to: "10.0.0.9",
                NetworkPath(roundTrip: .microseconds(100), rate: .gigabits(40))
            )
            try await effects.clock.sleep(for: .seconds(60))
            #expect(environment.assessment.mode == .datacenter)
            #expect(environment.assessment.changes == 1 && environment.assessment.flaps == 0)
        }
        let life = try #require(measured)
        let ready = life.events.first {
            $0.kind == .componentReady(component: "environment.network", fallback: nil)
        }
        #expect(ready.map { $0.time < .zero + .milliseconds(2_100) } == true, "\(life.events)")
        #expect(life.log.contains { $0.contains("the network is datacenter") })
    }

    @Test func aFixedModeIsNotMeasured() throws {
        let life = try World([
            ("NOVACRON_ENVIRONMENT_MODE", "datacenter"),
            ("NOVACRON_ENVIRONMENT_PROBES", "10.0.0.9:7402"),
        ]).live { node, effects in
            let assessment = node.value(NodeKeys.networkEnvironment)?.assessment
            #expect(assessment?.mode == .datacenter)
            #expect(assessment?.reason == "set by the configuration")
            #expect(effects.clock.now < .zero + .milliseconds(100))
        }
        #expect(life?.outcome == .stopped(left: []))
    }
}
