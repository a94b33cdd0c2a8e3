import Determinism
import LinkModel
import Machines
import NetworkModel
import SimulatedEnvironment
import SimulationKernel
import Testing
import Units

@Suite("Simulated world")
struct SimulationTests {
    /// Every millisecond a datagram to the other node.
    @Sendable static func chatter(
        _ birth: Birth<Puppet>,
        _ input: Input<Puppet>,
        _ now: Instant,
        _ actions: inout Actions<Puppet>
    ) {
        guard birth.node.rawValue < 2 else { return }
        switch input {
        case .started, .fired:
            actions.setTimer(0, at: now + .milliseconds(1))
            actions.send(Number(UInt64(now.nanoseconds)), to: NodeID(1 - birth.node.rawValue))
        default: break
        }
    }

    // Goal: equal plans give equal runs, another seed another run, and checkpoints are taken at the
    // same times. Method: three runs over a lossy link, the third with another seed.
    @Test func fingerprints() {
        func run(_ seed: UInt64) -> (Fingerprint, [Instant], [Fingerprint], Int) {
            var world = simulation(
                plan(seed: seed, loss: .bernoulli(.percent(5))),
                SimulationTests.chatter
            )
            #expect(world.run() == .reachedTime)
            let points = world.checkpoints
            return (
                world.fingerprint, points.map(\.time), points.map(\.fingerprint),
                world.observer.story.count
            )
        }
        let first = run(3)
        let again = run(3)
        let other = run(4)
        #expect(first.0 == again.0 && first.2 == again.2 && first.3 == again.3)
        #expect(first.0 != other.0)
        #expect(first.1 == (0...10).map { at($0 * 100) } && other.1 == first.1)
        #expect(Set(first.2).count == first.2.count)
    }

    // Goal: a node that does nothing changes nothing for the others. Method: the same run with a third
    // node at the end.
    @Test func idleNodeChangesNothing() {
        var small = simulation(plan(loss: .bernoulli(.percent(5))), SimulationTests.chatter)
        var large = simulation(
            plan(nodes: [0, 1, 1], loss: .bernoulli(.percent(5))),
            SimulationTests.chatter
        )
        _ = small.run()
        _ = large.run()
        #expect(small.observer.story.count > 1_000)
        #expect(small.observer.told(by: 0) == large.observer.told(by: 0))
        #expect(small.observer.told(by: 1) == large.observer.told(by: 1))
    }

    // Goal: a paused node hears everything later, in order; a timer that came due meanwhile can still
    // be cancelled by what came before it. Method: datagrams around a timer during a pause, of which
    // the first cancels one timer and moves another.
    @Test func pause() {
        let faults = fault(0, .pause([NodeID(1)]), from: 20, healing: .resume([NodeID(1)]), to: 60)
        var world = simulation(plan(until: at(200), faults: faults)) { birth, input, now, actions in
            switch (birth.node.rawValue, input) {
            case (0, .started):
                for step in 1...4 { actions.setTimer(UInt32(step), at: at(Int64(step) * 10)) }
            case (0, .fired(let timer)):
                actions.send(Number(UInt64(timer)), to: NodeID(1))
            case (1, .started):
                actions.setTimer(1, at: at(40))
                actions.setTimer(2, at: at(45))
                actions.setTimer(3, at: at(35))
            case (1, .received(Number(2), _)):
                actions.cancelTimer(1)
                actions.setTimer(2, at: now + .milliseconds(5))
            default: break
            }
        }
        _ = world.run()
        let story = world.observer.told(by: 1)
        #expect(story.count == 7)
        #expect(
            world.observer.texts(by: 1).dropFirst().map { $0 } == [
                "got 1 from node 0", "got 2 from node 0", "fired 3", "got 3 from node 0",
                "got 4 from node 0", "fired 2",
            ]
        )
        #expect(story[3].hasPrefix("60000 ") && story[6].hasPrefix("65000 "))
    }

    // Goal: a node that goes on never hears of more credit than it has, although what it hears first is
    // answered with writes. Method: a sender that writes whatever it is told it may is paused while
    // acknowledgements come; writing more would trap.
    @Test func creditAfterAPause() {
        let faults = fault(0, .pause([NodeID(0)]), from: 60, healing: .resume([NodeID(0)]), to: 120)
        var world = simulation(plan(until: at(300), faults: faults)) { birth, input, _, actions in
            switch (birth.node.rawValue, input) {
            case (0, .started):
                actions.openStream(StreamID(opener: birth.node, number: 1), to: NodeID(1))
            case (0, .writable(let stream, let credit)):
                actions.write(stream, [UInt8](repeating: 7, count: credit)[...])
            case (1, .readable(let stream, let bytes)):
                actions.grant(stream, bytes: bytes.count)
                actions.emit("read \(bytes.count)")
            default: break
            }
        }
        _ = world.run()
        let late = world.observer.story.filter { $0.time > at(140) && $0.node == NodeID(1) }
        #expect(late.contains { $0.text.hasPrefix("read ") })
    }

    // Goal: faults that overlap end with the last of them. Method: two crashes and two pauses of
    // which the second begins within the first.
    @Test func overlappingNodeFaults() {
        let nodes = [NodeID(1)]
        let faults =
            fault(0, .crash(nodes), from: 10, healing: .restart(nodes), to: 30)
            + fault(1, .crash(nodes), from: 20, healing: .restart(nodes), to: 40)
            + fault(2, .pause(nodes), from: 50, healing: .resume(nodes), to: 70)
            + fault(3, .pause(nodes), from: 60, healing: .resume(nodes), to: 80)
        var world = simulation(plan(until: at(100), faults: faults)) { birth, input, now, actions in
            if case .started = input { actions.setTimer(0, at: at(55)) }
        }
        _ = world.run()
        #expect(
            world.observer.told(by: 1) == ["0 started []", "40000 started []", "80000 fired 0"]
        )
        #expect(world.faultLog.count == 8)
    }

    // Goal: a crash drops timers, jobs and writes that are not synced; what was synced is recovered.
    // Method: a node starts one of each, and dies between the first sync and the rest.
    @Test func crash() {
        let nodes = [NodeID(0)]
        let faults = fault(0, .crash(nodes), from: 3, healing: .restart(nodes), to: 10)
        var world = simulation(plan(nodes: [0], faults: faults)) { birth, input, now, actions in
            guard birth.incarnation == 0, case .started = input else { return }
            actions.setTimer(0, at: at(5))
            actions.compute(Labour(megabytes: 20), id: JobID(0))
            actions.persist([Number(1)], id: WriteID(1))
            actions.persist([Number(2)], id: WriteID(2))
            actions.send(Number(9), to: NodeID(0))
        }
        #expect(world.run() == .drained)
        #expect(
            world.observer.told(by: 0) == [
                "0 started []", "0 got 9 from node 0", "2000 persisted 1", "10000 started [1]",
            ]
        )
    }

    // Goal: jobs take the time that the profile charges, on as many cores as there are, and disks
    // serve in order. Method: four jobs on two cores; batches of one megabyte.
    @Test func workAndDisk() {
        var world = simulation(plan(nodes: [0])) { birth, input, now, actions in
            guard case .started = input else { return }
            for (job, megabytes) in [10, 4, 5, 8].enumerated() {
                actions.compute(Labour(megabytes: megabytes), id: JobID(UInt64(job)))
            }
            for write in 1...3 { actions.persist([Number(1)], id: WriteID(UInt64(write))) }
        }
        _ = world.run()
        #expect(
            world.observer.told(by: 0) == [
                "0 started []", "2000 persisted 1", "4000 computed 1", "4000 persisted 2",
                "6000 persisted 3", "9000 computed 2", "10000 computed 0", "17000 computed 3",
            ]
        )
    }

    // Goal: faults of links do what they say, add up while they overlap, and leave no trace. Method:
    // one datagram every ten milliseconds; two outages that overlap, two delays, one loss of all, one
    // partition.
    @Test func linkFaults() {
        let there = [LinkID(0)]
        let block = NetworkRule(from: NodeSet([NodeID(0)]), to: NodeSet([NodeID(1)]))
        let faults =
            fault(0, .down(there), from: 95, to: 125)
            + fault(1, .down(there), from: 115, to: 145)
            + fault(2, .delay(there, .milliseconds(3)), from: 195, to: 225)
            + fault(3, .delay(there, .milliseconds(4)), from: 205, to: 235)
            + fault(4, .loss(there, .bernoulli(Ratio(1))), from: 295, to: 315)
            + fault(5, .block([block]), from: 395, to: 415)
        var world = simulation(plan(until: at(600), faults: faults)) { birth, input, now, actions in
            guard birth.node == NodeID(0) else { return }
            switch input {
            case .started, .fired:
                actions.setTimer(0, at: now + .milliseconds(10))
                actions.send(Number(UInt64(now.nanoseconds / 1_000_000)), to: NodeID(1))
            default: break
            }
        }
        _ = world.run()
        var delays: [UInt64: Int64] = [:]
        for line in world.observer.story where line.node == NodeID(1) && line.time > .zero {
            let sent = UInt64(line.text.split(separator: " ")[1])!
            delays[sent] = (line.time - at(Int64(sent))).nanoseconds / 1_000_000
        }
        for sent in stride(from: UInt64(0), to: 580, by: 10) {
            switch sent {
            case 90, 100, 110, 120, 130, 140, 300, 310, 400, 410:
                // What was sent before an outage has left the queue and arrives.
                #expect(delays[sent] == (sent == 90 ? 10 : nil))
            case 200: #expect(delays[sent] == 13)
            case 210, 220: #expect(delays[sent] == 17)
            case 230: #expect(delays[sent] == 14)
            default: #expect(delays[sent] == 10)
            }
        }
    }

    // Goal: a client hears that its server died although its own side of the connection was the
    // second to end, and a finished stream is not reset afterwards. Method: two streams, one finished
    // on both sides, one open; then the acceptor dies.
    @Test func resetOfADeadPeer() {
        let nodes = [NodeID(1)]
        let faults = fault(0, .crash(nodes), from: 200, healing: .restart(nodes), to: 300)
        var world = simulation(plan(faults: faults)) { birth, input, now, actions in
            switch input {
            case .started where birth.node == NodeID(0):
                for number in 1...2 {
                    let stream = StreamID(opener: birth.node, number: UInt32(number))
                    actions.openStream(stream, to: NodeID(1))
                }
            case .streamOpened(let stream, _) where stream.number == 1:
                actions.finish(stream)
            default: break
            }
        }
        _ = world.run()
        #expect(
            world.observer.texts(by: 0) == [
                "started []", "opened 1", "opened 2", "finished 1", "reset 2 refused",
            ]
        )
    }

    // Goal: samples and checkpoints stay bounded however long the run is. Method: a run of five
    // thousand sampling distances.
    @Test func samplesAreBounded() {
        var world = simulation(
            plan(until: .zero + .seconds(5), sampling: .milliseconds(1)),
            SimulationTests.chatter
        )
        _ = world.run()
        #expect(world.samples.times.count <= LinkSampler.limit)
        #expect(world.samples.times.count > LinkSampler.limit / 2)
        #expect(world.checkpoints.count == world.samples.times.count)
        #expect(world.samples.interval == .milliseconds(4))
        #expect(
            zip(world.samples.times, world.samples.times.dropFirst()).allSatisfy {
                $1 - $0 == .milliseconds(4)
            }
        )
    }

    // Goal: what the event queue carries stays small and trivial.
    @Test func queueEntriesAreSmall() {
        #expect(MemoryLayout<QueuedEvent<SimulationEvent>>.size <= 64)
        #expect(_isPOD(QueuedEvent<SimulationEvent>.self))
    }
}
