import Determinism
import Machines
import StreamWorld
import Testing
import Transport
import Units

private typealias World = StreamWorld<BulkTransfer<TestContent>>

private let source = NodeID(0)
private let destination = NodeID(1)

private func makeWorld(
    seed: UInt64,
    chunks: UInt64,
    configuration: TransportConfiguration,
    conditions: WorldConditions
) -> World {
    var world = World(nodes: 2, seed: seed, conditions: conditions)
    let plan = BulkPlan(
        source: source,
        destination: destination,
        configuration: configuration,
        amount: .chunks(chunks)
    )
    let content = TestContent(seed: 7)
    for node in [source, destination] {
        let birth = Birth<BulkTransfer<TestContent>>(
            node: node,
            incarnation: 0,
            recovered: [],
            seed: seed
        )
        world.start(node, BulkTransfer(birth, plan: plan, content: content))
    }
    return world
}

/// What came out of a run.
private struct Outcome {
    var delivered = 0
    var corrupted = 0
    var completedAtSource: TransferStatistics?
    var completedAtDestination: TransferStatistics?
    var failures: [TransportError] = []
    var tunings = 0
    var modeChanges = 0

    init(_ world: World) {
        for (_, node, event) in world.events {
            switch event {
            case .delivered(let bytes): delivered += bytes
            case .corrupted: corrupted += 1
            case .completed(let statistics):
                if node == source {
                    completedAtSource = statistics
                } else {
                    completedAtDestination = statistics
                }
            case .failed(let error): failures.append(error)
            case .tuned: tunings += 1
            case .modeChanged: modeChanges += 1
            case .streamLost: break
            }
        }
    }
}

private func expectedBytes(chunks: UInt64, size: Int) -> Int {
    let content = TestContent(seed: 7)
    return (0..<chunks).reduce(0) { $0 + content.chunk($1, size: size).count }
}

// Goal: whatever the streams do, every byte arrives once, in order, unchanged; buffers stay bounded.
// Method: seeded runs in a small world that cuts pieces at random, reorders streams against each
// other, kills streams and flips bits; invariants (with the bounds) are checked after every step.
@Suite struct BulkPropertyTests {
    @Test(arguments: 0..<60)
    func everythingArrives(run: Int) {
        let seed = UInt64(run)
        var random = SeededRandom(stateFrom: 1_000 + seed)
        var conditions = WorldConditions()
        conditions.sliceLimit = [1, 40, 1_448, 60_000][run % 4]
        conditions.sendBuffer = [100, 5_000, 100_000][run % 3]
        let chunks = run % 4 == 0 ? 4 : random.below(60) + 1
        let chunkSize = run % 4 == 0 ? 1_024 : 8_192
        // A stream lives for a few chunks on average; what kills it earlier lets nothing through.
        conditions.streamLife = ByteCount(chunkSize * (run % 3 == 0 ? 4 : 20))
        conditions.flipDistance = run % 5 == 0 ? ByteCount(chunkSize * 15) : .zero
        let configuration = smallConfiguration(
            streams: Int(random.below(8)) + 1,
            chunk: chunkSize,
            window: run % 2 == 0 ? 2 * chunkSize + 512 : 65_536
        )
        var world = makeWorld(
            seed: seed,
            chunks: chunks,
            configuration: configuration,
            conditions: conditions
        )
        let isQuiet = world.run(until: .zero + .seconds(3_600))
        let outcome = Outcome(world)
        #expect(isQuiet)
        #expect(outcome.failures == [])
        #expect(outcome.corrupted == 0)
        let expected = expectedBytes(chunks: chunks, size: configuration.chunkSize)
        #expect(outcome.delivered == expected)
        #expect(outcome.completedAtSource?.chunks == chunks + 1)
        #expect(outcome.completedAtDestination?.payloadBytes == UInt64(expected))
        #expect(outcome.completedAtDestination?.acceptedBytes == UInt64(expected))
    }

    // Goal: tuning may do what it likes to streams, and loses, repeats or reorders nothing: streams
    // leave, others are opened, controls change, while streams die. Method: the world tells of
    // paths that change at random with every sample; many epochs pass in a run.
    @Test(arguments: 0..<12)
    func everythingArrivesWhileTuned(run: Int) {
        var conditions = WorldConditions()
        conditions.sampleChance = .percent(30)
        conditions.rate = .megabits(4)
        conditions.streamLife = run % 3 == 0 ? .kibibytes(200) : .zero
        conditions.flipDistance = run % 5 == 0 ? .kibibytes(400) : .zero
        // From two on: with one there is nothing to take back, and a path whose round trips jump about
        // looks full.
        var configuration = smallConfiguration(streams: run % 8 + 2)
        configuration.tuning = StreamTuner.Rules(
            streams: 1...[4, 40, 256][run % 3],
            choosesControl: run % 2 == 0
        )
        configuration.tunesChunks = true
        let chunks: UInt64 = 1_500
        var world = makeWorld(
            seed: UInt64(run),
            chunks: chunks,
            configuration: configuration,
            conditions: conditions
        )
        let isQuiet = world.run(until: .zero + .seconds(3_600))
        let outcome = Outcome(world)
        #expect(isQuiet)
        #expect(outcome.failures == [])
        #expect(outcome.corrupted == 0)
        #expect(outcome.delivered == expectedBytes(chunks: chunks, size: configuration.chunkSize))
        #expect(outcome.tunings > 0)
    }

    // Goal: a transfer that follows its path from one mode to another loses and repeats nothing while
    // its streams are replaced, whatever else happens to them. Method: what the world tells of the path is
    // that of a data centre, a region and the internet in turn, for a few seconds each.
    @Test(arguments: 0..<12)
    func everythingArrivesWhileTheModeChanges(run: Int) {
        var conditions = WorldConditions()
        conditions.sampleChance = .percent(30)
        conditions.sampleLoss = .zero
        conditions.rate = .megabits(4)
        conditions.streamLife = run % 3 == 0 ? .kibibytes(200) : .zero
        conditions.flipDistance = run % 4 == 0 ? .kibibytes(400) : .zero
        var configuration = smallConfiguration(streams: run % 8 + 1)
        if run % 4 != 3 {
            configuration.tuning = StreamTuner.Rules(
                streams: 1...[4, 40, 256][run % 3],
                choosesControl: run % 2 == 0
            )
        }
        configuration.mode = .automatic
        let chunks: UInt64 = 4_000
        var world = makeWorld(
            seed: UInt64(run),
            chunks: chunks,
            configuration: configuration,
            conditions: conditions
        )
        for phase in 0..<20 as Range<Int64> {
            let base = Interval.microseconds([200, 100_000, 20_000][Int(phase) % 3])
            world.medium.conditions.sampleRoundTrip = base...base.scaled(by: 1.2)
            world.run(until: .zero + .seconds(3 * (phase + 1)))
        }
        let isQuiet = world.run(until: .zero + .seconds(3_600))
        let outcome = Outcome(world)
        #expect(isQuiet)
        #expect(outcome.failures == [])
        #expect(outcome.corrupted == 0)
        #expect(outcome.delivered == expectedBytes(chunks: chunks, size: configuration.chunkSize))
        #expect(outcome.modeChanges >= 2)
        #expect(outcome.completedAtSource?.modeChanges == UInt64(outcome.modeChanges))
    }

    // Goal: what may be sent twice is counted in the chunks that were asked for, also where the window has no room for
    // such long ones. Method: a way a thousand times as long as is known, so that everything is late.
    @Test func lateChunksOfASmallWindowAreRepeatedWithinBounds() {
        var configuration = smallConfiguration(streams: 16)
        configuration.chunkSize = 256 << 10
        configuration.window = 64 << 10
        var conditions = WorldConditions()
        conditions.delay = .seconds(1)...(.seconds(1))
        var world = makeWorld(
            seed: 3,
            chunks: 2,
            configuration: configuration,
            conditions: conditions
        )
        let isQuiet = world.run(until: .zero + .seconds(120))
        #expect(isQuiet)
        #expect(Outcome(world).failures == [])
        #expect(Outcome(world).completedAtSource?.repeatedChunks ?? 0 > 8)
    }

    // Goal: the runs above really lost streams. Method: the same conditions at one seed, counted.
    @Test func streamsDoDie() {
        var conditions = WorldConditions()
        conditions.streamLife = .kibibytes(20)
        var world = makeWorld(
            seed: 2,
            chunks: 60,
            configuration: smallConfiguration(),
            conditions: conditions
        )
        world.run(until: .zero + .seconds(600))
        #expect(world.medium.deaths > 3)
        #expect(Outcome(world).completedAtSource?.repeatedChunks ?? 0 > 0)
    }

    // Goal: two runs of one seed are the same run. Method: compare every event and its time.
    @Test func sameSeedSameRun() {
        var conditions = WorldConditions()
        conditions.streamLife = .kibibytes(100)
        func log() -> [String] {
            var world = makeWorld(
                seed: 5,
                chunks: 40,
                configuration: smallConfiguration(),
                conditions: conditions
            )
            world.run(until: .zero + .seconds(600))
            return world.events.map { "\($0.at) \($0.node) \($0.event)" }
        }
        let first = log()
        #expect(first.count > 40)
        #expect(first == log())
    }

    // Goal: a peer that never answers is a typed failure within the configured time, not a hang.
    // Method: no destination runs, so streams open and nothing is ever read or answered; then one
    // that loses every stream at once.
    @Test func unreachablePeerFails() {
        var conditions = WorldConditions()
        conditions.streamLife = ByteCount(1)
        let configuration = smallConfiguration(streams: 2)
        var world = makeWorld(
            seed: 1,
            chunks: 10,
            configuration: configuration,
            conditions: conditions
        )
        let isQuiet = world.run(until: .zero + .seconds(600))
        #expect(isQuiet)
        #expect(Outcome(world).failures.contains(.unreachable))
        #expect(Outcome(world).completedAtSource == nil)
        #expect(world.now < .zero + .seconds(60))
    }

    // Goal: a destination that was restarted has lost the transfer; the source must notice instead
    // of believing the new one. Method: crash it in the middle and start it again.
    @Test func restartedDestinationIsNoticed() {
        var world = makeWorld(
            seed: 3,
            chunks: 4_000,
            configuration: smallConfiguration(),
            conditions: WorldConditions()
        )
        world.run(until: .zero + .milliseconds(200))
        #expect(Outcome(world).delivered > 0)
        world.crash(destination)
        let plan = BulkPlan(
            source: source,
            destination: destination,
            configuration: smallConfiguration(),
            amount: .chunks(4_000)
        )
        let birth = Birth<BulkTransfer<TestContent>>(
            node: destination,
            incarnation: 1,
            recovered: [],
            seed: 3
        )
        world.start(
            destination,
            BulkTransfer(birth, plan: plan, content: TestContent(seed: 7))
        )
        let isQuiet = world.run(until: .zero + .seconds(600))
        #expect(isQuiet)
        #expect(Outcome(world).failures.contains(.peerRestarted))
        #expect(Outcome(world).completedAtSource == nil)
    }
}
