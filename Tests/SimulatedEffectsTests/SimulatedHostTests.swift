import Determinism
import Effects
import Machines
import SimulatedEffects
import SimulationKernel
import Testing
import Units

/// Goal: ports, listeners, probes, databases and the machine of a host are as effects describe them.
/// Method: processes of one or two hosts, and clients from outside.
@Suite struct SimulatedHostTests {
    static let limits = ListenerLimits(connections: 2, requestBytes: 4, idleTimeout: .seconds(1))

    /// Goal: a listener answers, refuses beyond its limits, and closes when it has answered.
    /// Method: slow answers, three clients, a close in the middle.
    @Test func listenersAnswerAndClose() throws {
        let world = ModelWorld()
        let host = world.host
        let found = Collector<String>()
        _ = try world.run { process in
            let effects = process.effects
            let endpoint = SocketEndpoint(host: "0.0.0.0", port: 8080)
            guard
                let listener = try? await effects.network.serveHTTP(
                    at: endpoint,
                    identity: nil,
                    limits: SimulatedHostTests.limits,
                    respond: { request in
                        try? await effects.clock.sleep(for: .seconds(1))
                        return HTTPResponse(
                            status: 200,
                            contentType: "text/plain",
                            body: request.body
                        )
                    }
                )
            else { return }
            #expect(listener.endpoint == endpoint)
            @Sendable func ask(_ body: [UInt8]) async {
                do {
                    let request = HTTPRequest(method: "GET", path: "/", body: body)
                    let response = try await host.request(request, port: 8080)
                    found.append("\(effects.clock.now) \(response.status) \(response.body)")
                } catch {
                    found.append("\(effects.clock.now) \(error)")
                }
            }
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await ask([1]) }
                group.addTask { await ask([1]) }
                try? await effects.clock.sleep(for: .milliseconds(1))
                #expect(listener.connectionCount == 2)
                await ask([2])
                await group.waitForAll()
            }
            await ask([1, 2, 3, 4, 5])
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await ask([3]) }
                try? await effects.clock.sleep(for: .milliseconds(500))
                await listener.close()
                found.append("\(effects.clock.now) closed")
                await ask([4])
            }
            await listener.close()
        }
        #expect(
            found.values == [
                "1 ms node-0:8080: nobody answered", "1 s 200 [1]", "1 s 200 [1]", "1 s 413 []",
                "2 s 200 [3]", "2 s closed", "2 s node-0:8080: nobody answered",
            ]
                || found.values == [
                    "1 ms node-0:8080: nobody answered", "1 s 200 [1]", "1 s 200 [1]", "1 s 413 []",
                    "2 s closed", "2 s node-0:8080: nobody answered", "2 s 200 [3]",
                ],
            "\(found.values)"
        )
        #expect(host.ports.open.isEmpty)
    }

    /// Goal: cancelling the closing task cuts what is under way.
    /// Method: an answer that takes an hour.
    @Test func cancelledClosingCuts() throws {
        let world = ModelWorld()
        let host = world.host
        let texts = try world.run { process -> [String] in
            let effects = process.effects
            let listener = try? await effects.network.serveHTTP(
                at: SocketEndpoint(host: "localhost", port: 0),
                identity: nil,
                limits: SimulatedHostTests.limits,
                respond: { _ in
                    try? await effects.clock.sleep(for: .seconds(3600))
                    return HTTPResponse(status: 200, contentType: "text/plain", body: [])
                }
            )
            guard let listener else { return [] }
            return await withTaskGroup(of: String.self) { group in
                group.addTask {
                    let text = await failure {
                        _ = try await host.request(
                            HTTPRequest(method: "GET", path: "/"),
                            port: listener.endpoint.port
                        )
                    }
                    return "\(effects.clock.now) \(text ?? "answered")"
                }
                group.addTask {
                    await withTaskGroup(of: Void.self) { inner in
                        inner.addTask {
                            try? await effects.clock.sleep(for: .seconds(1))
                            await listener.close()
                        }
                        try? await effects.clock.sleep(for: .seconds(2))
                        inner.cancelAll()
                    }
                    return "\(effects.clock.now) closed"
                }
                var texts: [String] = []
                for await text in group { texts.append(text) }
                return texts
            }
        }
        #expect(texts == ["2 s closed", "3600 s node-0:32768: nobody answered"])
    }

    /// Goal: a port has one listener; others' ports, forbidden ones and strange hosts are refused.
    /// Method: one call for each, TLS marks included, and a client without a certificate.
    @Test func portsAreTakenOnce() throws {
        let world = ModelWorld()
        let host = world.host
        host.ports.occupy(PortTable.Port(81, .tcp))
        host.ports.deny(PortTable.Port(80, .tcp))
        let found = try world.run { process -> [String?] in
            let network = process.effects.network
            @Sendable func serve(
                _ port: UInt16,
                host: String = "::",
                _ key: String? = nil
            ) async -> String? {
                await failure {
                    _ = try await network.serveHTTP(
                        at: SocketEndpoint(host: host, port: port),
                        identity: key.map {
                            TLSIdentity(
                                certificateChain: "-----BEGIN CERTIFICATE-----",
                                privateKey: $0,
                                clientAuthorities: ""
                            )
                        },
                        limits: SimulatedHostTests.limits,
                        respond: { request in
                            HTTPResponse(
                                status: 200,
                                contentType: request.clientName ?? "",
                                body: []
                            )
                        }
                    )
                }
            }
            let program = await failure {
                _ = try await network.host(
                    Silent.self,
                    node: NodeID(0),
                    at: SocketEndpoint(host: "node-0", port: 90),
                    identity: nil,
                    machine: { _ in Silent() },
                    observe: { _ in }
                )
            }
            return [
                await serve(80), await serve(81), await serve(82), await serve(82),
                await serve(83, host: "elsewhere"), await serve(84, "no key"),
                await serve(85, "-----BEGIN PRIVATE KEY-----"),
                program, await serve(90),
                await failure {
                    _ = try await network.answerProbes(at: SocketEndpoint(host: "::", port: 82))
                },
                await failure {
                    _ = try await host.request(HTTPRequest(method: "GET", path: "/"), port: 85)
                },
                await failure {
                    let request = HTTPRequest(method: "GET", path: "/", clientName: "node-1")
                    let response = try await host.request(request, port: 85)
                    #expect(response.contentType == "node-1")
                },
                await failure {
                    _ = try await host.request(HTTPRequest(method: "GET", path: "/"), port: 90)
                },
                host.ports.open.map { "\($0.number)/\($0.transport)" }.joined(separator: " "),
            ]
        }
        #expect(
            found == [
                "[::]:80: permission denied", "[::]:81: another process listens there", nil,
                "[::]:82: another process listens there", "elsewhere:83: there is no such host",
                "[::]:84: the TLS identity cannot be used: the key is not PEM", nil, nil,
                "[::]:90: another process listens there", nil,
                "node-0:85: the listener asks for a client certificate", nil,
                "node-0:90: nobody answered", "82/tcp 82/udp 85/tcp 90/tcp",
            ]
        )
        #expect(host.ports.open.isEmpty)
    }

    /// Goal: probes show the path that was set, and silence where nobody answers.
    /// Method: a path of 40 ms and 10 Mbit/s with a tenth of loss; a host without a responder.
    @Test func probesShowThePath() throws {
        let world = ModelWorld()
        let other = SimulatedHost(
            NodeID(1),
            settings: ModelWorld.settings(1),
            seed: 1,
            executor: world.executor,
            network: world.network
        )
        world.network.setPath(
            from: NodeID(0),
            to: "node-1",
            NetworkPath(
                roundTrip: .milliseconds(40),
                jitter: .milliseconds(2),
                loss: .percent(10),
                rate: .megabits(10)
            )
        )
        let peer = other.startProcess(incarnation: 0)
        let plan = ProbePlan(
            trains: 200,
            packetsPerTrain: 10,
            packetBytes: 1250,
            spacing: .milliseconds(20),
            timeout: .seconds(1)
        )
        let target = SocketEndpoint(host: "node-1", port: 9000)
        _ = try world.run { process in
            let network = process.effects.network
            let silent = await failure { _ = try await network.probe(target, plan) }
            #expect(silent == "node-1:9000: nobody answered")
            #expect(world.executor.now == .zero + .milliseconds(4_980))
            let unknown = await failure {
                _ = try await network.probe(SocketEndpoint(host: "x", port: 1), plan)
            }
            #expect(unknown == "x:1: there is no such host")
            _ = try? await peer.effects.network.answerProbes(
                at: SocketEndpoint(host: "node-1", port: 9000)
            )
            guard let found = try? await network.probe(target, plan) else {
                Issue.record("no measurement")
                return
            }
            #expect(found.sent == 2000)
            #expect((1740...1860).contains(found.received), "\(found.received)")
            let times = found.roundTrips.map(\.milliseconds).sorted()
            #expect(times[0] >= 41 && times[times.count / 2] < 44)
            let rate = Double(found.rate?.bitsPerSecond ?? 0) / 1e6
            #expect(rate > 7 && rate <= 10.01, "\(rate)")
            let cancelled = await withTaskGroup(of: String?.self) { group in
                group.addTask { await failure { _ = try await network.probe(target, plan) } }
                group.cancelAll()
                return await group.next()!
            }
            #expect(cancelled == "node-1:9000: cancelled")
        }
    }

    /// Goal: databases survive their processes and end with their files; faults are told.
    /// Method: three lives of one host.
    @Test func databasesBelongToTheHost() throws {
        let world = ModelWorld()
        let host = world.host
        host.disk.placeFolder("/data")
        host.disk.place("/data/text", Array("hello".utf8))
        _ = try world.run { process in
            let found = await failure {
                let database = try await process.effects.databases.open(
                    "/data/db",
                    busyTimeout: .seconds(2)
                )
                try await database.run("create table t(x integer)")
                #expect(process.effects.clock.now > .zero + .milliseconds(1))
                try await database.run("insert into t values (?)", [.integer(5)])
                let before = process.effects.clock.now
                #expect(try await database.run("select x from t") == [[.integer(5)]])
                #expect(process.effects.clock.now == before)
                host.databases.inject(
                    DatabaseFault(at: "/data/db", .busy, until: before.advanced(by: .seconds(1)))
                )
                let busy = await failure { try await database.run("insert into t values (6)") }
                #expect(busy == "/data/db: another process uses the database")
                #expect(process.effects.clock.now - before == .seconds(2))
                try await database.run("insert into t values (7)")
                host.disk.foreignBytes = .mebibytes(1)
                let full = await failure { try await database.run("insert into t values (8)") }
                #expect(full == "/data/db: the disk is full")
                host.disk.foreignBytes = .zero
                await database.close()
                #expect(await failure { try await database.run("select x from t") } != nil)
            }
            #expect(found == nil)
            let garbage = await failure {
                _ = try await process.effects.databases.open("/data/text", busyTimeout: .zero)
            }
            #expect(garbage?.contains("not a database") == true)
        }
        host.crash()
        _ = try world.run(incarnation: 1) { process in
            let found = await failure {
                let database = try await process.effects.databases.open(
                    "/data/db",
                    busyTimeout: .zero
                )
                #expect(try await database.run("select sum(x) from t") == [[.integer(12)]])
                host.databases.damage("/data/db", "row 3 missing from index")
                #expect(try await database.integrityProblems() == ["row 3 missing from index"])
                await database.close()
                try await process.effects.files.remove("/data/db")
                let fresh = try await process.effects.databases.open(
                    "/data/db",
                    busyTimeout: .zero
                )
                #expect(try await fresh.integrityProblems() == [])
                #expect(await failure { try await fresh.run("select x from t") } != nil)
            }
            #expect(found == nil)
        }
    }

    /// Goal: the machine, the clock, secrets and the log are those of the process's life.
    /// Method: look at each; secrets repeat for one life and differ between lives.
    @Test func machineAndSecrets() throws {
        let world = ModelWorld()
        let host = world.host
        host.foreignProcesses = [77]
        let look: @Sendable (SimulatedProcess) async -> [UInt8] = { process in
            let machine = process.effects.machine
            #expect(machine.hostName == "node-0")
            #expect(machine.environmentVariables.map(\.name) == ["HOME", "PATH"])
            #expect(machine.isRunning(machine.processID) && machine.isRunning(77))
            #expect(!machine.isRunning(78))
            #expect((try? await machine.resources())?.cores == 2)
            try? await host.processors.run(.seconds(3))
            #expect(machine.usage().cpu == .seconds(3))
            host.wallClockError = .seconds(60)
            let wall = process.effects.clock.wallTime - WallTime(unixSeconds: 1_767_225_600)
            #expect(wall == process.effects.clock.now - .zero + .seconds(60))
            process.effects.log.write("line")
            #expect(process.log.lines == ["line"])
            let first = process.effects.secrets.randomBytes(8)
            #expect(first != process.effects.secrets.randomBytes(8))
            return first
        }
        let first = try world.run(incarnation: 0, look)
        let second = try world.run(incarnation: 1, look)
        let again = try ModelWorld().run(incarnation: 1) { $0.effects.secrets.randomBytes(8) }
        #expect(first != second)
        #expect(second == again)
        #expect(first?.count == 8)
    }
}

/// A machine that does nothing.
struct Silent: Machine {
    mutating func step(_ input: Input<Silent>, at now: Instant, into actions: inout Actions<Silent>)
    {
    }
}
