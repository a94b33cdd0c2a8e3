import LinkModel
import Machines
import NetworkModel
import Testing
import Units

/// Explicit congestion notification (RFC 3168) step by step; `ScriptedPair` explains the notation.
@Suite struct CongestionNotificationTests {
    private func run(_ script: String, _ control: CongestionControl = .cubic) -> String {
        var pair = ScriptedPair(control, usesCongestionNotification: true)
        return pair.run(script)
    }

    /// Goal: a mark is echoed until the sender says that it reacted, and reduces the window once,
    /// without anything sent again. Method: mark two segments of one window.
    @Test func oneReduction() {
        let transcript = run(
            """
            write 40
            mark 2 5
            forth
            back
            state
            forth
            back
            forth
            back
            state
            """
        )
        #expect(transcript.contains("echo"), "\(transcript)")
        let announced = transcript.split(separator: "\n").filter { $0.contains("!") }
        #expect(announced.count == 1, "\(transcript)")
        #expect(transcript.contains("reduced window"), "\(transcript)")
        let states = transcript.split(separator: "\n").filter { $0.contains("window") }
        #expect(states.count == 2)
        #expect(states.last?.contains("open window") == true, "\(transcript)")
        // The echoes end with the announcement.
        let lines = transcript.split(separator: "\n")
        let after = lines.lastIndex { $0.contains("echo") }!
        let said = lines.firstIndex { $0.contains("!") }!
        #expect(said < after || !lines[said...].contains { $0.contains("echo") })
        // Nothing twice.
        let sent = lines.filter { $0.hasPrefix("  >") }.joined(separator: " ")
            .split(separator: " ")
            .compactMap { Int($0.filter(\.isNumber)) }
        #expect(Set(sent).count == sent.count, "\(transcript)")
    }

    /// Goal: without marks nothing is echoed or announced. Method: the same script without them.
    @Test func silence() {
        let transcript = run("write 40\nforth\nback\nforth\nback")
        #expect(!transcript.contains("echo") && !transcript.contains("!"))
    }

    /// Goal: a loss while the window is being reduced for a mark is repaired without a second
    /// reduction. Method: mark a segment, and lose a later one of the same flight.
    @Test func lossDuringReduction() {
        var pair = ScriptedPair(.cubic, usesCongestionNotification: true)
        let transcript = pair.run(
            """
            write 44
            forth
            back
            mark 12
            lose 20
            forth
            back
            state
            forth
            back
            forth
            back
            state
            """
        )
        let windows = transcript.split(separator: "\n")
            .filter { $0.contains("window") }
            .map { Int($0.split(separator: " ").last!)! }
        // 0.7 of 20, and not 0.49.
        #expect(windows.count == 2 && windows[1] >= 12, "\(transcript)")
        let sent = transcript.split(separator: "\n").filter { $0 == "  > 20" || $0 == "  > 20 21" }
        #expect(sent.count == 2, "\(transcript)")
        // The announcement arrived, so the echoes have ended.
        #expect(transcript.split(separator: "\n").last { $0.hasPrefix("  <") } == "  < 44")
    }

    /// Goal: where the announcement itself is lost, the echoes go on and the window is reduced once
    /// more, as RFC 3168 (section 6.1.2) asks. Method: lose the segment that announces.
    @Test func lostAnnouncement() {
        let transcript = run(
            """
            write 44
            forth
            back
            mark 12
            forth
            back
            lose 34
            forth
            back
            forth
            back
            state
            write 4
            state
            forth
            back
            forth
            back
            """
        )
        let announced = transcript.split(separator: "\n").filter { $0.contains("!") }
        #expect(announced.count == 2, "\(transcript)")
        let last = transcript.split(separator: "\n").last { $0.hasPrefix("  <") }
        #expect(last == "  < 48", "\(transcript)")
    }

    /// Goal: BBR takes no notice. Method: its window with and without marks is the same.
    @Test func ignoredByBBR() {
        let marked = run("write 40\nmark 2 5\nforth\nback\nstate", .bbr)
        let plain = run("write 40\nforth\nback\nstate", .bbr)
        let window = { (text: String) in text.split(separator: " ").last.map(String.init) }
        #expect(window(marked) == window(plain), "\(marked)")
    }

    /// Goal: over a queue that marks, streams that understand marks keep the rate with a short queue
    /// and without a single loss, where streams that do not lose packets. Method: 30 s of CUBIC over
    /// CoDel (one stream) and FQ-CoDel (four) with and without the parameter, of which the first 5 s,
    /// slow start and what CoDel needs to end its queue, are left out.
    @Test(arguments: [
        (QueueDiscipline.coDel(ControlledDelay(marks: true)), 1),
        (.fairCoDel(FairQueueing(), ControlledDelay(marks: true)), 4),
    ]) func markingQueue(_ discipline: QueueDiscipline, _ streams: Int) {
        let marked = Run(discipline, streams, uses: true)
        #expect(marked.link.marked > 0)
        #expect((1...marked.link.marked).contains(marked.reductions))
        #expect(marked.retransmitted == 0 && marked.link.dropped == 0)
        let plain = Run(discipline, streams, uses: false)
        #expect(plain.link.marked == 0 && plain.reductions == 0)
        #expect(plain.retransmitted > 0 && plain.link.dropped > 0)
        #expect(marked.rate >= 0.95 * plain.rate, "\(marked.rate), \(plain.rate) Mbit/s")
        // The propagation of both ways is 80 ms; drop-tail's queue of 1 MB would double it.
        #expect((80...90).contains(marked.roundTrip), "\(marked.roundTrip) ms")
    }

    /// Streams over one marking queue.
    private struct Run {
        var rate = 0.0
        var roundTrip = 0.0
        var link: LinkCounters
        var reductions: UInt64 = 0
        var retransmitted: UInt64 = 0

        init(_ discipline: QueueDiscipline, _ streams: Int, uses: Bool) {
            var parameters = TCPParameters.linux
            parameters.usesCongestionNotification = uses
            var link = LinkParameters.reference()
            link.discipline = discipline
            var world = BulkWorld(.pair(link), seed: 1, parameters: parameters)
            let connections = (0..<streams).map { _ in world.open(0, 2) }
            world.run(until: .zero + .seconds(5))
            let before = world.received.reduce(0, +)
            world.pathSamples = []
            world.run(until: .zero + .seconds(30))
            rate = Double(world.received.reduce(0, +) - before) * 8 / 25 / 1e6
            roundTrip =
                world.pathSamples.reduce(0) { $0 + $1.rtt.milliseconds }
                / Double(max(1, world.pathSamples.count))
            self.link = world.network.counters(Topology.forth, at: world.now)
            for connection in connections {
                let side = world.network.statistics(connection, .opener)!
                reductions += side.congestionMarks
                retransmitted += side.segmentsRetransmitted
            }
        }
    }
}
