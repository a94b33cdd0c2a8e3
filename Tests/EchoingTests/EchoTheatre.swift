import Echoing
import Machines
import Units

/// Two echo machines on a stage: every message, timer and write waits until the script moves it.
final class EchoTheatre {
    let plan: EchoPlan
    var now = Instant.zero
    var machines: [NodeID: Echo] = [:]
    var incarnations: [NodeID: UInt32] = [:]
    var durable: [NodeID: [EchoRecord]] = [:]
    var messages: [(from: NodeID, to: NodeID, message: EchoMessage)] = []
    var timers: [(node: NodeID, timer: EchoTimer, at: Instant)] = []
    var writes: [(node: NodeID, id: WriteID, records: [EchoRecord])] = []
    var jobs: [(node: NodeID, id: JobID, job: EchoJob)] = []
    private(set) var log: [String] = []

    static let client = NodeID(0)
    static let server = NodeID(1)

    init(plan: EchoPlan) {
        self.plan = plan
    }

    func takeLog() -> [String] {
        defer { log = [] }
        return log
    }

    func start(_ node: NodeID) {
        let birth = Birth<Echo>(
            node: node,
            incarnation: incarnations[node, default: 0],
            recovered: durable[node, default: []],
            seed: 1
        )
        let isServer = node == EchoTheatre.server
        machines[node] = isServer ? .server(birth) : .client(birth, plan: plan)
        step(node, .started)
    }

    func crash(_ node: NodeID) {
        machines[node] = nil
        incarnations[node, default: 0] += 1
        timers.removeAll { $0.node == node }
        writes.removeAll { $0.node == node }
        jobs.removeAll { $0.node == node }
    }

    func step(_ node: NodeID, _ input: Input<Echo>) {
        var actions = Actions<Echo>()
        machines[node]?.step(input, at: now, into: &actions)
        machines[node]?.checkInvariants()
        for action in actions.elements { take(action, of: node) }
    }

    /// Delivers the oldest message between two nodes.
    func deliver(from: NodeID, to: NodeID, losing: Bool = false) {
        guard let index = messages.firstIndex(where: { $0.from == from && $0.to == to }) else {
            log.append("nothing to deliver")
            return
        }
        let entry = messages.remove(at: index)
        if !losing { step(to, .received(entry.message, from: from)) }
    }

    func completeWrite(_ node: NodeID) {
        guard let index = writes.firstIndex(where: { $0.node == node }) else {
            log.append("nothing to write")
            return
        }
        let entry = writes.remove(at: index)
        durable[node, default: []] += entry.records
        step(node, .persisted(entry.id))
    }

    func advance(to time: Instant) {
        while let due = timers.indices.filter({ timers[$0].at <= time })
            .min(by: { timers[$0].at < timers[$1].at })
        {
            let entry = timers.remove(at: due)
            now = entry.at
            step(entry.node, .fired(entry.timer))
        }
        now = time
    }

    private func take(_ action: Action<Echo>, of node: NodeID) {
        let name = node == EchoTheatre.server ? "server" : "client"
        switch action {
        case .send(let message, let peer):
            messages.append((node, peer, message))
            switch message {
            case .ping(let sequence, _): log.append("\(name) sends ping \(sequence)")
            case .pong(let sequence, let served, _):
                log.append("\(name) sends pong \(sequence), \(served) served")
            }
        case .setTimer(let timer, let due):
            timers.removeAll { $0.node == node && $0.timer == timer }
            timers.append((node, timer, due))
        case .cancelTimer(let timer):
            timers.removeAll { $0.node == node && $0.timer == timer }
        case .persist(let records, let id):
            writes.append((node, id, records))
            log.append("\(name) writes \(records.map(\.sequence))")
        case .compute(let job, let id):
            jobs.append((node, id, job))
        case .openStream(let stream, _, _): log.append("\(name) opens stream \(stream.number)")
        case .write(_, let bytes): log.append("\(name) writes \(bytes.count) bytes")
        case .finish: log.append("\(name) finishes")
        case .reset: log.append("\(name) resets")
        case .grant: break
        case .emit(let event): log.append("\(name) reports \(EchoTheatre.text(event))")
        }
    }

    private static func text(_ event: EchoEvent) -> String {
        switch event {
        case .answered(let sequence, let latency, let attempts, let equal):
            "answer \(sequence) after \(Interval(nanoseconds: latency)), attempts \(attempts), "
                + (equal ? "equal" : "different")
        case .unanswered(let sequence, let waited):
            "no answer \(sequence) after \(Interval(nanoseconds: waited))"
        case .echoed(let bytes, let equal):
            "\(bytes) bytes back, " + (equal ? "equal" : "different")
        case .forgot(let claimed, let before): "server forgot: \(claimed) after \(before)"
        case .serving(let incarnation, let recovered):
            "incarnation \(incarnation) with \(recovered) recovered"
        case .done: "done"
        }
    }
}
