public import Machines
import NetworkModel
import Scenarios
public import Units

/// One end of flows of others on real sockets: ordinary single-stream TCP connections that always
/// have more to send. In simulation the network model makes these flows itself.
public struct CrossNode: Machine {
    public enum Timer: Hashable, Sendable {
        /// The flow of this number is to be opened.
        case open(UInt32)
    }

    public enum Event: Sendable, Hashable, Codable {
        /// So many bytes came to the receiver on a flow.
        case arrived(flow: UInt32, bytes: Int)
        /// A flow broke and is opened again.
        case broken(flow: UInt32)
    }

    /// Bytes that are told at a time, so that telling costs no more than receiving.
    private static let telling = 1 << 16

    private let node: NodeID
    private let plan: CrossEndPlan
    /// How often each flow was opened: every connection has a name of its own.
    private var openings: [UInt32]
    /// Bytes that came on each flow and were not told yet.
    private var untold: [Int]
    private static let block = Bytes(repeating: 0, count: 1 << 16)

    init(_ birth: Birth<CrossNode>, plan: CrossEndPlan) {
        node = birth.node
        self.plan = plan
        openings = Array(repeating: 0, count: plan.flows)
        untold = Array(repeating: 0, count: plan.flows)
    }

    public mutating func step(
        _ input: Input<CrossNode>,
        at now: Instant,
        into actions: inout Actions<CrossNode>
    ) {
        switch input {
        case .started where plan.sends:
            for flow in 0..<UInt32(plan.flows) {
                let due = plan.start + CrossTraffic.stagger * Int64(flow)
                actions.setTimer(.open(flow), at: max(now, .zero + due))
            }
        case .fired(.open(let flow)):
            let number = flow + UInt32(plan.flows) * openings[Int(flow)]
            openings[Int(flow)] += 1
            let stream = StreamID(opener: node, number: number)
            actions.openStream(stream, to: NodeID(plan.peer), plan.options)
        case .writable(let stream, let credit) where plan.sends:
            var left = credit
            while left > 0 {
                let count = min(left, CrossNode.block.count)
                actions.write(stream, CrossNode.block.prefix(count))
                left -= count
            }
        case .readable(let stream, let bytes):
            actions.grant(stream, bytes: bytes.count)
            let flow = Int(stream.number) % plan.flows
            untold[flow] += bytes.count
            guard untold[flow] >= CrossNode.telling else { return }
            actions.emit(.arrived(flow: UInt32(flow), bytes: untold[flow]))
            untold[flow] = 0
        case .reset(let stream, _) where plan.sends:
            let flow = stream.number % UInt32(plan.flows)
            actions.emit(.broken(flow: flow))
            actions.setTimer(.open(flow), at: now + .seconds(1))
        case .started, .requested, .received, .fired, .persisted, .computed, .streamOpened,
            .writable, .finished, .reset, .path:
            break
        }
    }
}

/// What one end of flows of others is told.
public struct CrossEndPlan: Sendable, Codable {
    /// The other end.
    var peer: UInt32
    var sends: Bool
    var flows: Int
    /// A word of the scenario language.
    var congestion: String
    var start: Interval

    var options: StreamOptions {
        let word = Scenario.SystemConfiguration.Transport.Congestion(rawValue: congestion)
        return StreamOptions(
            congestionControl: CongestionControl(word ?? .cubic),
            receiveCredit: CrossTraffic.receiveCredit
        )
    }
}

/// The nodes that are the ends of others' flows in a run on sockets; they come after those of the
/// scenario.
struct CrossEnds: Sendable {
    let traffic: [Scenario.CrossTraffic]
    /// The scenario's nodes, after which they are numbered.
    let first: Int

    var count: Int { traffic.count * 2 }

    /// By node: a sender and its receiver for each entry.
    var plans: [CrossEndPlan] {
        traffic.indices.flatMap { entry in
            [true, false].map { sends in
                CrossEndPlan(
                    peer: UInt32(first + 2 * entry + (sends ? 1 : 0)),
                    sends: sends,
                    flows: traffic[entry].flows,
                    congestion: traffic[entry].congestion.rawValue,
                    start: traffic[entry].start
                )
            }
        }
    }

    /// By node: where it lives, and whether its TCP uses marks.
    var places: [CrossPlace] {
        traffic.flatMap { entry in
            [entry.from, entry.to].map {
                CrossPlace(
                    region: $0.rawValue,
                    usesCongestionNotification: entry.usesCongestionNotification
                )
            }
        }
    }
}

/// Where one end of others' flows lives.
public struct CrossPlace: Sendable, Codable {
    /// Its number.
    var region: UInt32
    var usesCongestionNotification: Bool
}
