import Effects
import Initialization
import NodeFoundation
import NodePlatform
import SimulatedEffects
import SimulationKernel
import Testing
import Units

// Goal: the control interface answers those who show a certificate, shows a renewed one without a
// gap, and a port that is taken ends the boot or only warns, as the plans say. Method: requests to
// a modelled host; a table of routes.
@Suite struct ControlTests {
    private let world = PlatformWorld()

    private static func ok(_ text: String) -> HTTPResponse {
        HTTPResponse(status: 200, contentType: "text/plain", body: Array(text.utf8))
    }

    @Test func routesAreFound() async {
        let routes = ControlRoutes()
        routes.register("GET", "/v1/tasks/{id}") { _, parameters in Self.ok("task \(parameters)") }
        routes.register("GET", "/v1/tasks/all") { _, _ in Self.ok("all") }
        routes.register("POST", "/v1/tasks") { request, _ in Self.ok("made \(request.body.count)") }
        routes.register("GET", "/v1/{kind}/{id}") { _, parameters in Self.ok("\(parameters)") }
        routes.register("GET", "/v1/status") { _, _ in Self.ok("old") }
        routes.register("GET", "/v1/status") { request, _ in Self.ok(request.clientName ?? "") }
        let table: [(String, String, Int, String?)] = [
            ("GET", "/v1/tasks/7", 200, #"task ["7"]"#), ("GET", "/v1/tasks/all", 200, "all"),
            ("POST", "/v1/tasks", 200, "made 2"), ("GET", "/v1/jobs/x", 200, #"["jobs", "x"]"#),
            ("GET", "/v1/status", 200, "me"), ("GET", "/v1/tasks", 405, nil),
            ("PUT", "/v1/status", 405, nil), ("GET", "/v1/tasks/", 404, nil),
            ("GET", "/", 404, nil), ("GET", "", 404, nil), ("GET", "//v1/status", 404, nil),
            ("GET", "/v1/status/", 404, nil), ("GET", "/v1/tasks/{id}", 200, #"task ["{id}"]"#),
        ]
        for (method, path, status, body) in table {
            let answer = await routes.answer(
                HTTPRequest(method: method, path: path, body: [1, 2], clientName: "me")
            )
            #expect(answer.status == status, "\(method) \(path)")
            if let body { #expect(String(decoding: answer.body, as: UTF8.self) == body) }
        }
        let nameless = await routes.answer(HTTPRequest(method: "GET", path: "/v1/status"))
        #expect(nameless.status == 403)
    }

    @Test func requestsAreAnsweredAcrossARotation() throws {
        let answers = Shared<[String]>([])
        let (boot, _) = try world.boot(PlatformWorld.all()) { [host = world.host] node, effects in
            guard let routes = node.value(PlatformKeys.controlRoutes),
                let store = node.value(PlatformKeys.certificates)
            else { return }
            routes.register("GET", "/v1/slow") { _, _ in
                try? await effects.clock.sleep(for: .seconds(3))
                return Self.ok("slow")
            }
            let request = HTTPRequest(method: "GET", path: "/v1/slow", clientName: "operator")
            await withTaskGroup(of: Void.self) { group in
                // Begun before, while and after the certificate changes.
                for delay in 0..<6 as Range<Int64> {
                    group.addTask {
                        try? await effects.clock.sleep(for: .milliseconds(delay * 500))
                        let answer = try? await host.request(request, port: 7400)
                        answers.change {
                            $0.append(
                                answer.map { String(decoding: $0.body, as: UTF8.self) } ?? "-"
                            )
                        }
                    }
                }
                group.addTask {
                    try? await effects.clock.sleep(for: .seconds(1))
                    host.wallClockError = .seconds(70 * 86_400)
                    #expect((try? await store.rotateIfNeeded()) == .renewed)
                }
            }
            let refused = await failure {
                _ = try await host.request(HTTPRequest(method: "GET", path: "/v1/slow"), port: 7400)
            }
            #expect(refused?.contains("client certificate") == true)
        }
        #expect(answers.value == Array(repeating: "slow", count: 6))
        #expect(boot.isReady && boot.degraded == [])
        #expect(boot.health.allSatisfy { $0.health == .healthy })
        #expect(world.host.ports.open.isEmpty)
    }

    @Test func anOccupiedControlPortEndsTheBoot() throws {
        world.host.ports.occupy(PortTable.Port(7400, .tcp))
        let (boot, _) = try world.boot(PlatformWorld.all())
        #expect(boot.failure == "network.control: 127.0.0.1:7400: another process listens there")
        #expect(boot.reasons("network.control").count == 3)
        #expect(world.host.ports.open.isEmpty)
        world.host.ports.vacate(PortTable.Port(7400, .tcp))
        #expect(try world.boot(PlatformWorld.all(), incarnation: 1).boot.isReady)
    }

    @Test func anOccupiedProbePortIsNoReasonNotToServe() throws {
        world.host.ports.occupy(PortTable.Port(7402, .udp))
        let (boot, _) = try world.boot(PlatformWorld.all())
        #expect(boot.isReady && boot.degraded == ["network.probes"])
    }

    /// Goal: a stop at any moment of the boot leaves no port, lock or open file.
    @Test func aStopAtAnyMomentLeavesNothing() throws {
        for microseconds in stride(from: 0 as Int64, to: 40_000, by: 500) {
            let world = PlatformWorld()
            let process = world.host.startProcess(incarnation: 0)
            let effects = process.effects
            let lifecycle = try NodeLifecycle(
                PlatformWorld.all(),
                policy: BootPolicy(),
                effects: effects,
                journal: BootJournal(effects: effects),
                seed: 1,
                entity: EntityID(.node, 1)
            ) { _ in }
            let outcome = try world.executor.run {
                await withTaskGroup(of: LifecycleOutcome?.self) { group in
                    group.addTask {
                        await lifecycle.run { _ in try? await effects.clock.sleep(for: .seconds(9))
                        }
                    }
                    group.addTask {
                        try? await effects.clock.sleep(for: .microseconds(microseconds))
                        lifecycle.requestStop()
                        return nil
                    }
                    var outcome: LifecycleOutcome?
                    for await result in group { outcome = result ?? outcome }
                    return outcome
                }
            }
            #expect(
                outcome == .cancelled(left: []) || outcome == .stopped(left: []),
                "\(microseconds): \(String(describing: outcome))"
            )
            #expect(world.host.ports.open.isEmpty, "\(microseconds)")
            #expect(!world.host.disk.isLocked("/data/node.lock"), "\(microseconds)")
            #expect(effects.machine.usage().openFiles == 0, "\(microseconds)")
            #expect(try world.boot(PlatformWorld.all(), incarnation: 1).boot.isReady)
        }
    }
}
