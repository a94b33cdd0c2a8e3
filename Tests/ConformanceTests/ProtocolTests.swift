import DeltaEncoding
import Echoing
import Experiments
import Machines
import Migration
import Testing
import Transport
import Units

/// Whole protocols in both worlds.
@Suite("Protocols in both worlds", .serialized)
struct ProtocolTests {
    // Goal: a client gets every answer and every stream back unchanged although its server dies and
    // comes back. Method: the echo protocol; the server dies after some answers, with a stream under
    // way, and starts again once the client has asked in vain.
    @Test(arguments: Arm.allCases)
    func echo(on arm: Arm) async throws {
        let plan = EchoPlan(
            server: NodeID(1),
            pings: 60,
            payloadBytes: 3_000,
            spacing: .milliseconds(4),
            timeout: .milliseconds(60),
            attempts: 40,
            streamBytes: 300_000,
            streams: 3
        )
        let play = Play<Echo>(
            incidents: [
                .crash(1) { story in
                    story.contains {
                        if case .answered(10, _, _, _) = $0.event { true } else { false }
                    }
                },
                .restart(1) { _ in true },
            ]
        ) { birth in
            birth.node == NodeID(1) ? Echo.server(birth) : Echo.client(birth, plan: plan)
        } until: { story in
            // On sockets the server may die later than it should, even after the last answer.
            switch story.last?.event {
            case .done, .serving(1, _):
                let isServing = story.contains {
                    if case .serving(1, _) = $0.event { true } else { false }
                }
                return isServing && story.contains { $0.event == .done }
            default:
                return false
            }
        }
        let story = try await play.run(on: arm)
        var answered: Set<UInt64> = []
        var echoed = 0
        for entry in story {
            switch entry.event {
            case .answered(let sequence, _, _, let equal):
                answered.insert(sequence)
                #expect(equal)
            case .echoed(let bytes, let equal):
                echoed += bytes
                #expect(equal)
            case .serving(let incarnation, let recovered):
                #expect(incarnation == 0 || recovered >= 10)
            case .unanswered, .forgot:
                Issue.record("\(entry.event)")
            case .done:
                break
            }
        }
        #expect(answered == Set(0..<60))
        #expect(echoed == 3 * 300_000)
    }

    // Goal: a transfer over several streams delivers every chunk in order and unchanged. Method: the
    // bulk protocol until 12 MiB have arrived.
    @Test(arguments: Arm.allCases)
    func bulk(on arm: Arm) async throws {
        var configuration = TransportConfiguration(
            link: LinkEstimate(rate: .megabits(800), rtt: .milliseconds(10)),
            streams: .fixed(4)
        )
        configuration.window = 1 << 20
        configuration.sendBuffer = 1 << 20
        let content = BulkContent(seed: 4)
        let play = Play<BulkNode> { [configuration] birth in
            BulkNode(
                birth,
                sendingTo: birth.node == NodeID(0) ? NodeID(1) : nil,
                configuration: configuration,
                content: content
            )
        } until: { story in
            story.delivered >= 12 << 20
        }
        var next: UInt64 = 0
        for entry in try await play.run(on: arm) {
            switch entry.event {
            case .delivered(let chunks, _):
                #expect(chunks.lowerBound == next)
                next = chunks.upperBound
            case .arrived, .roundTrips, .held:
                break
            case .different, .tuned, .modeChanged, .streamLost, .failed, .shared:
                Issue.record("\(entry.event)")
            }
        }
    }

    // Goal: a guest whose memory keeps changing moves and its memory is verified at the destination.
    // Method: 3 MiB of memory with hot pages, hierarchical encoding, four streams.
    @Test(arguments: Arm.allCases)
    func migration(on arm: Arm) async throws {
        let memory = TickingMemory(pageCount: 768, hot: 40, tick: .milliseconds(3))
        var transport = TransportConfiguration(
            link: LinkEstimate(rate: .megabits(800), rtt: .milliseconds(10)),
            streams: .fixed(4)
        )
        transport.window = 512 << 10
        transport.sendBuffer = 512 << 10
        let configuration = MigrationConfiguration(
            transport: transport,
            encoding: EncodingConfiguration(form: .hierarchical, compression: .level1),
            pagesPerBatch: 32,
            convergence: ConvergenceRule(downtimeGoal: .milliseconds(50))
        )
        let play = Play<MigrationNode<TickingMemory>> { birth in
            let order = MigrationOrder(memory: memory, to: NodeID(1))
            return MigrationNode(
                birth,
                configuration: configuration,
                orders: birth.node == NodeID(0) ? [order] : []
            )
        } until: { story in
            if case .completed? = story.last?.event { true } else { false }
        }
        let story = try await play.run(on: arm)
        var verified = 0
        var happened: [String] = []
        for entry in story {
            switch entry.event {
            case .paused: happened.append("paused")
            case .verified(_, let pages, _):
                verified = pages
                happened.append("verified")
            case .running: happened.append("running")
            case .completed: happened.append("completed")
            case .failed, .resumedAtSource, .orderRefused, .streamLost:
                Issue.record("\(entry.event)")
            case .started, .round: break
            }
        }
        #expect(happened == ["paused", "verified", "running", "completed"])
        #expect(verified == memory.pageCount)
    }
}

/// A guest that writes a few words of one of its hot pages, in turn, at every tick.
private struct TickingMemory: GuestMemory {
    let pageCount: Int
    let hot: Int
    let tick: Interval

    private func ticks(at time: Instant) -> Int {
        max(0, Int(time.nanoseconds / tick.nanoseconds))
    }

    func dirtyPages(after start: Instant, through end: Instant) -> [Int] {
        (0..<hot).filter {
            contentVersion(ofPage: $0, at: start) != contentVersion(ofPage: $0, at: end)
        }
    }

    func page(_ index: Int, at time: Instant) -> Bytes {
        // A few zero pages, a few equal ones, the rest of their own.
        if index % 7 == 6 { return Bytes(repeating: 0, count: Self.pageSize) }
        let offset = index % 5 == 4 ? 0 : index * Self.pageSize
        var bytes = [UInt8](ProbeContent.bytes(from: offset, count: Self.pageSize))
        let version = contentVersion(ofPage: index, at: time)
        if version > 0 {
            for word in 0..<4 {
                bytes[(Int(version) * 37 + word * 800) % Self.pageSize] &+= UInt8(
                    truncatingIfNeeded: version
                )
            }
        }
        return bytes[...]
    }

    func contentVersion(ofPage index: Int, at time: Instant) -> UInt64 {
        guard index < hot else { return 0 }
        return UInt64((ticks(at: time) + hot - 1 - index) / hot)
    }
}

extension [Entry<BulkNode.Event>] {
    /// Bytes delivered in order so far.
    var delivered: Int {
        reduce(0) { sum, entry in
            if case .delivered(_, let bytes) = entry.event { sum + bytes } else { sum }
        }
    }
}
