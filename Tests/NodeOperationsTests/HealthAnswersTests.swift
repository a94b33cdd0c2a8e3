import Effects
import Initialization
import NodeOperations
import SimulatedEffects
import Testing
import Units

// Goal: probes get the answers that orchestrators expect at every stage of a node's life, from what
// was told last. Method: feed the status with events and health by hand and ask.
@Suite struct HealthAnswersTests {
    private let world = OperationsWorld()
    private let status = NodeStatus()
    private let registry = PrometheusRegistry()
    private let health = Shared<[HealthReport]>([])

    init() {
        let database = ComponentSpecification(name: "database", phase: .core)
        let cache = ComponentSpecification(name: "cache", phase: .core, criticality: .degrade)
        status.connect([database, cache], previousBoot: { nil }) { [health] _ in health.value }
    }

    private func told(_ milliseconds: Int64, _ kind: LifecycleEvent.Kind) {
        status.observe(LifecycleEvent(time: .zero + .milliseconds(milliseconds), kind: kind))
    }

    private func codes() -> [Int] {
        ["/health/startup", "/health/ready", "/health/live"].map { ask($0).status }
    }

    private func ask(_ path: String, method: String = "GET") -> HTTPResponse {
        HealthAnswers(
            status: status,
            registry: registry,
            effects: world.host.effects(incarnation: 1),
            name: "al\"pha",
            staleAfter: .seconds(30)
        ).answer(HTTPRequest(method: method, path: path))
    }

    private func text(_ path: String) -> String { String(decoding: ask(path).body, as: UTF8.self) }

    private func refresh() throws {
        try world.run { [world, status] in
            await status.refresh(timeout: .seconds(1), clock: world.clock)
        }
    }

    private func wait(_ interval: Interval) throws {
        try world.run { [world] in try await world.clock.sleep(for: interval) }
    }

    @Test func probesFollowTheLife() throws {
        #expect(codes() == [503, 503, 200])
        told(0, .bootStarted(order: .dependencyReady))
        #expect(codes() == [503, 503, 200])
        told(10, .ready(degraded: []))
        #expect(codes() == [200, 200, 200])
        told(20, .stopRequested)
        told(20, .drainStarted)
        #expect(codes() == [200, 503, 200])
        told(30, .drainEnded(complete: true))
        #expect(codes() == [200, 503, 200])
        told(40, .shutdownEnded(left: []))
        #expect(codes() == [200, 503, 503])
    }

    @Test func aFailedBootIsNotLive() {
        told(0, .bootStarted(order: .dependencyReady))
        told(10, .bootFailed(component: "database", reason: "full"))
        told(10, .rollbackStarted)
        #expect(codes() == [503, 503, 503])
        told(20, .rollbackEnded(left: []))
        #expect(codes() == [503, 503, 503])
        #expect(text("/status").contains(#""failure":"database: full""#))
    }

    @Test func anUnhealthyHaltingComponentIsNotReady() throws {
        told(0, .bootStarted(order: .dependencyReady))
        told(10, .ready(degraded: []))
        health.change {
            $0 = [HealthReport(component: "cache", fallback: nil, health: .unhealthy("cold"))]
        }
        try refresh()
        #expect(codes() == [200, 200, 200])
        health.change {
            $0 = [HealthReport(component: "database", fallback: nil, health: .unhealthy("gone"))]
        }
        try refresh()
        #expect(codes() == [200, 503, 200])
        health.change {
            $0 = [HealthReport(component: "database", fallback: nil, health: .degraded("slow"))]
        }
        try refresh()
        #expect(codes() == [200, 200, 200])
    }

    @Test func aNodeThatNoLongerLooksAfterItselfIsNotLive() throws {
        told(0, .bootStarted(order: .dependencyReady))
        told(10, .ready(degraded: []))
        // Nobody looks when there is no monitor.
        try wait(.seconds(200))
        #expect(codes() == [200, 200, 200])
        try refresh()
        try wait(.seconds(29))
        #expect(codes() == [200, 200, 200])
        try wait(.seconds(2))
        #expect(codes() == [200, 200, 503])
    }

    @Test func theStatusDocumentTellsAll() throws {
        told(0, .bootStarted(order: .dependencyReady))
        told(5, .phaseStarted(.core))
        told(5, .attemptStarted(component: "database", attempt: 1))
        told(15, .attemptFailed(component: "database", attempt: 1, reason: "bu\nsy"))
        told(20, .attemptStarted(component: "database", attempt: 2))
        told(30, .componentReady(component: "database", fallback: nil))
        told(5, .attemptStarted(component: "cache", attempt: 1))
        told(40, .fallbackStarted(component: "cache", fallback: "cache.cold"))
        told(45, .componentReady(component: "cache", fallback: "cache.cold"))
        told(50, .ready(degraded: ["cache"]))
        health.change {
            $0 = [HealthReport(component: "database", fallback: nil, health: .healthy)]
        }
        try refresh()
        #expect(
            text("/status")
                == #"{"name":"al\"pha","pid":1000,"uptimeSeconds":0.0,"stage":"ready","#
                + #""phase":"core","bootSeconds":0.05,"failure":null,"degraded":["cache"],"#
                + #""healthAgeSeconds":0.0,"components":[{"name":"database","phase":"core","#
                + #""criticality":"halt","state":"ready","fallback":null,"attempts":2,"#
                + #""seconds":0.025,"health":"healthy","detail":null},{"name":"cache","#
                + #""phase":"core","criticality":"degrade","state":"ready","#
                + #""fallback":"cache.cold","attempts":1,"seconds":0.04,"health":null,"#
                + #""detail":null}],"previousBoot":null}"# + "\n"
        )
        #expect(ask("/status").contentType == "application/json")
    }

    @Test func otherRequestsAreRefused() {
        #expect(ask("/").status == 404)
        #expect(ask("/health/live/").status == 404)
        #expect(ask("/status", method: "POST").status == 405)
        #expect(ask("/health/live", method: "HEAD").status == 200)
    }

    @Test func metricsOfABootAreTold() {
        let metrics = NodeMetrics(registry)
        for (time, kind) in [
            (0, .bootStarted(order: .dependencyReady)), (0, .phaseStarted(.pre)),
            (0, .attemptStarted(component: "a", attempt: 1)),
            (100, .attemptFailed(component: "a", attempt: 1, reason: "no")),
            (200, .attemptStarted(component: "a", attempt: 2)),
            (500, .componentReady(component: "a", fallback: nil)), (500, .phaseEnded(.pre)),
            (750, .ready(degraded: [])),
        ] as [(Int64, LifecycleEvent.Kind)] {
            metrics.observe(LifecycleEvent(time: .zero + .milliseconds(time), kind: kind))
        }
        for cpu in [1, 3] as [Int64] {
            metrics.record(
                ProcessUsage(
                    cpu: .seconds(cpu),
                    residentMemory: ByteCount(4096),
                    peakResidentMemory: ByteCount(4096),
                    openFiles: 7
                )
            )
        }
        let text = registry.text
        for line in [
            #"component_init_duration_seconds{component="a"} 0.5"#,
            #"component_attempts_total{component="a"} 2"#,
            #"component_failures_total{component="a"} 1"#, #"component_up{component="a"} 1"#,
            #"phase_duration_seconds{phase="pre"} 0.5"#, "total_boot_time_seconds 0.75",
            "process_cpu_seconds_total 3", "process_resident_memory_bytes 4096",
            "process_open_fds 7",
        ] {
            #expect(text.contains(line + "\n"), "\(line)")
        }
    }
}
