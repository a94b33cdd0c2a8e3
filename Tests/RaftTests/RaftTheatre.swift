import Machines
import Raft
import Units

/// A stage for interaction scripts: replicas on which nothing moves by itself.
///
/// Messages lie where they were sent until `deliver A B` or `settle` moves them, disks answer with `settle`
/// or `write A`, and timers fire when the script says so. What is printed are the facts a reader wants.
struct RaftTheatre {
    private var cores: [RaftCore<StandardRules>] = []
    private var disks: [[RaftRecord]] = []
    private var writes: [[([RaftRecord], WriteID)]] = []
    /// Messages under way, by sender and receiver.
    private var wires: [[[RaftMessage]]] = []
    private var sides: [Int] = []
    private var incarnations: [UInt32] = []
    private var now = Instant.zero + .seconds(1)
    private var effects = RaftEffects()
    private var output: [String] = []

    mutating func run(_ command: String) -> [String] {
        output = []
        let words = command.split(separator: " ").map(String.init)
        let first = words.count > 1 ? (Int(words[1]) ?? 1) - 1 : 0
        let second = words.count > 2 ? (Int(words[2]) ?? 1) - 1 : 0
        switch words[0] {
        case "start": start(first + 1)
        case "fire":
            let timer: RaftTimer = words[2] == "election" ? .election : .heartbeat
            now += timer == .election ? .seconds(3) : .milliseconds(100)
            step(first) { $0.fired(timer, at: $1, into: &$2) }
        case "deliver": deliver(first, second)
        case "settle": settle()
        case "write": write(first)
        case "partition":
            var side = 0
            for word in words.dropFirst() {
                if word == "|" { side += 1 } else { sides[Int(word)! - 1] = side }
            }
        case "heal": for place in sides.indices { sides[place] = 0 }
        case "crash": crash(first)
        case "propose":
            let command = Array(words[2].utf8)[...]
            step(first) { core, now, effects in
                _ = try? core.propose(command, at: now, into: &effects)
            }
        case "add":
            step(first) { core, now, effects in
                try? core.change(.addVoter(NodeID(UInt32(second + 1))), at: now, into: &effects)
            }
        case "transfer":
            step(first) { core, now, effects in
                let target = NodeID(UInt32(second + 1))
                try? core.transferLeadership(to: target, at: now, into: &effects)
            }
        case "status":
            for (place, core) in cores.enumerated() {
                output.append(
                    "\(place + 1) \(core.role) term=\(core.term) last=\(core.lastIndex) "
                        + "commit=\(core.commit)"
                )
            }
        default: output.append("unknown command \(words[0])")
        }
        return output
    }

    private mutating func start(_ count: Int) {
        let members = (1...count).map { NodeID(UInt32($0)) }
        let membership = try! Membership(voters: members)
        cores = []
        disks = Array(repeating: [], count: count)
        writes = Array(repeating: [], count: count)
        wires = Array(repeating: Array(repeating: [], count: count), count: count)
        sides = Array(repeating: 0, count: count)
        incarnations = Array(repeating: 0, count: count)
        for place in 0..<count { cores.append(newborn(place, membership)) }
        for place in 0..<count { step(place) { $0.start(at: $1, into: &$2) } }
    }

    private func newborn(_ place: Int, _ membership: Membership) -> RaftCore<StandardRules> {
        RaftCore(
            node: NodeID(UInt32(place + 1)),
            seed: 1,
            incarnation: incarnations[place],
            configuration: RaftConfiguration(),
            rules: StandardRules(),
            bootstrap: membership,
            recovered: disks[place]
        )
    }

    private mutating func crash(_ place: Int) {
        incarnations[place] += 1
        writes[place] = []
        for other in wires.indices {
            wires[place][other] = []
            wires[other][place] = []
        }
        let members = (1...cores.count).map { NodeID(UInt32($0)) }
        cores[place] = newborn(place, try! Membership(voters: members))
        step(place) { $0.start(at: $1, into: &$2) }
    }

    private mutating func step(
        _ place: Int,
        _ body: (inout RaftCore<StandardRules>, Instant, inout RaftEffects) -> Void
    ) {
        body(&cores[place], now, &effects)
        cores[place].checkInvariants()
        for effect in effects.elements {
            switch effect {
            case .send(let message, let peer):
                let target = Int(peer.rawValue) - 1
                if target < cores.count { wires[place][target].append(message) }
            case .persist(let records, let id): writes[place].append((records, id))
            case .report(let fact): tell(fact, place)
            case .setTimer, .cancelTimer, .apply, .restore, .readReady, .readFailed, .leadership:
                break
            }
        }
        effects.removeAll()
    }

    private mutating func deliver(_ from: Int, _ to: Int) {
        let messages = wires[from][to]
        wires[from][to] = []
        guard sides[from] == sides[to] else { return }
        for message in messages {
            let sender = NodeID(UInt32(from + 1))
            step(to) { $0.received(message, from: sender, at: $1, into: &$2) }
        }
    }

    private mutating func write(_ place: Int) {
        guard !writes[place].isEmpty else { return }
        let (records, id) = writes[place].removeFirst()
        disks[place] += records
        step(place) { $0.persisted(id, at: $1, into: &$2) }
    }

    /// Moves everything until nothing moves.
    private mutating func settle() {
        for _ in 0..<1_000 {
            var moved = false
            for place in cores.indices {
                while !writes[place].isEmpty {
                    moved = true
                    write(place)
                }
            }
            for from in cores.indices {
                for to in cores.indices where !wires[from][to].isEmpty {
                    moved = true
                    deliver(from, to)
                }
            }
            if !moved { return }
        }
        output.append("does not settle")
    }

    private mutating func tell(_ fact: RaftFact, _ place: Int) {
        let text: String
        switch fact {
        case .becamePreCandidate(let term): text = "asks in term \(term)"
        case .becameCandidate(let term): text = "stands in term \(term)"
        case .becameLeader(let term, _): text = "leads in term \(term)"
        case .steppedDown(let term, let reason): text = "gives up term \(term): \(reason)"
        case .committed(let index): text = "commits up to \(index)"
        case .truncated(let index): text = "truncates from \(index)"
        case .voted(let term, let candidate):
            text = "votes for \(candidate.rawValue) in term \(term)"
        case .membership(let index, let membership):
            guard index > 0 else { return }
            text = "has members \(membership.members.map(\.rawValue)) from \(index)"
        case .contradiction(let what): text = "contradiction: \(what)"
        case .transferEnded(let target, _, let succeeded):
            text = "hands over to \(target.rawValue): \(succeeded)"
        case .restarted, .enteredTerm, .becameFollower, .appended, .durable, .applied,
            .snapshotTaken, .snapshotInstalled, .readServed, .transferStarted:
            return
        }
        output.append("\(place + 1) \(text)")
    }
}
