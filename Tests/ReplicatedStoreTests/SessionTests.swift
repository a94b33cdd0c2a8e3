import Determinism
import Machines
import Raft
import ReplicatedStore
import Testing
import Units

// Goal: a session remembers the results that its client has not acknowledged, in whatever order they came and
// however they are acknowledged, and nothing else. Method: seeded entries beside a model that has no thought for speed.
@Suite struct SessionTests {
    /// What sessions are meant to do.
    struct Model {
        struct Session {
            var lastUse: LogIndex
            var answered: UInt64 = 0
            var results: [UInt64: StoreResult] = [:]
        }

        let configuration: StoreConfiguration
        var table: KeyValueTable
        /// By name.
        var sessions: [UInt64: Session] = [:]

        init(_ configuration: StoreConfiguration) {
            self.configuration = configuration
            table = KeyValueTable(limit: configuration.dataLimit)
        }

        mutating func open(at index: LogIndex) -> StoreState.Outcome {
            if sessions.count == configuration.sessionLimit {
                let oldest = sessions.min { $0.value.lastUse < $1.value.lastUse }
                sessions[oldest!.key] = nil
            }
            sessions[index] = Session(lastUse: index)
            return .opened(session: index)
        }

        mutating func update(
            _ name: UInt64,
            _ sequence: UInt64,
            answered: UInt64,
            _ command: StoreCommand,
            at index: LogIndex
        ) -> StoreState.Outcome {
            guard var session = sessions[name] else { return .refused(.noSession) }
            defer { sessions[name] = session }
            session.lastUse = index
            // An acknowledgement that says less than before, or of what is asked now, is none.
            if answered < sequence { session.answered = max(session.answered, answered) }
            let last = session.answered
            session.results = session.results.filter { $0.key > last }
            if let result = session.results[sequence] {
                return .recognised(session: name, sequence: sequence, result)
            }
            guard last < sequence, sequence <= last + configuration.sessionWindow else {
                return .refused(.staleSequence)
            }
            let result = table.execute(command)
            session.results[sequence] = result
            return .executed(session: name, sequence: sequence, result)
        }
    }

    /// What an outcome is called in the counts of a run.
    private static func name(_ outcome: StoreState.Outcome) -> String {
        switch outcome {
        case .opened: "opened"
        case .executed: "executed"
        case .recognised: "recognised"
        case .refused(let reason): "\(reason)"
        }
    }

    @Test func sessionsBehaveLikeTheirModel() throws {
        var configuration = StoreConfiguration()
        configuration.sessionLimit = 4
        configuration.sessionWindow = 8
        var counts: [String: Int] = [:]
        for seed in 0..<40 as Range<UInt64> {
            var random = SeededRandom(stateFrom: seed)
            var state = StoreState(configuration)
            var model = Model(configuration)
            var names: [UInt64] = []
            for index in 1...1_000 as ClosedRange<UInt64> {
                let outcome: StoreState.Outcome
                let expected: StoreState.Outcome
                if index == 1 || random.below(60) == 0 {
                    names.append(index)
                    outcome = state.apply([1], index: index, term: 1, rules: StandardRules())
                    expected = model.open(at: index)
                } else {
                    // One of the latest, so that it is used more than once; some are gone by now.
                    let age = Int(random.below(UInt64(min(names.count, 5))))
                    let name = names[names.count - 1 - age]
                    let last = model.sessions[name]?.answered ?? 0
                    let sequence = last + random.below(10)
                    // Mostly nothing new, otherwise one more or several; at times less than before or too much.
                    let answered =
                        switch random.below(8) {
                        case 0: last + 1
                        case 1: last + random.below(10)
                        case 2: last / 2
                        default: last
                        }
                    let command = StoreStateTests.command(&random)
                    let entry = StoreStateTests.entry(
                        name,
                        sequence,
                        answered: answered,
                        command
                    )
                    outcome = state.apply(entry, index: index, term: 1, rules: StandardRules())
                    expected = model.update(
                        name,
                        sequence,
                        answered: answered,
                        command,
                        at: index
                    )
                }
                #expect(outcome == expected, "seed \(seed), index \(index)")
                counts[SessionTests.name(outcome), default: 0] += 1
            }
            #expect(state.table == model.table, "seed \(seed)")
            let bytes = state.encoded()
            #expect(try StoreState(configuration, snapshot: bytes[...]) == state, "seed \(seed)")
        }
        // What the runs should have met, or they prove little.
        for name in ["opened", "executed", "recognised", "noSession", "staleSequence"] {
            #expect(counts[name, default: 0] > 300, "\(name): \(counts)")
        }
    }

    // Goal: replicas that were restored from snapshots and those that were not are the same, byte by byte: results lie
    // in the order of their sequences. Method: the same updates in every order, then some are acknowledged.
    @Test func theOrderOfUpdatesLeavesNoTrace() {
        let rules = StandardRules()
        /// Deletions of what is not there: each has the same result whenever it is executed.
        func entry(_ sequence: UInt64, answered: UInt64 = 0) -> Bytes {
            StoreStateTests.entry(1, sequence, answered: answered, .delete(key: [1]))
        }
        func state(_ order: [UInt64]) -> StoreState {
            var state = StoreState(StoreConfiguration())
            _ = state.apply([1], index: 1, term: 1, rules: rules)
            for (place, sequence) in order.enumerated() {
                let index = UInt64(2 + place)
                let outcome = state.apply(entry(sequence), index: index, term: 1, rules: rules)
                #expect(outcome == .executed(session: 1, sequence: sequence, .deleted(false)))
            }
            return state
        }
        let plain = state([1, 2, 3, 4])
        var orders: [[UInt64]] = [[]]
        for sequence in 1...4 as ClosedRange<UInt64> {
            orders = orders.flatMap { order in
                (0...order.count).map { place -> [UInt64] in
                    var longer = order
                    longer.insert(sequence, at: place)
                    return longer
                }
            }
        }
        #expect(Set(orders).count == 24)
        for order in orders {
            var other = state(order)
            #expect(other == plain && other.encoded() == plain.encoded(), "\(order)")
            // The first two are acknowledged, the others are not.
            let next = other.apply(entry(6, answered: 2), index: 9, term: 1, rules: rules)
            #expect(next == .executed(session: 1, sequence: 6, .deleted(false)))
            for sequence in [1, 2, 3, 4, 6] as [UInt64] {
                let again = other.apply(entry(sequence), index: 10, term: 1, rules: rules)
                let expected: StoreState.Outcome =
                    sequence <= 2
                    ? .refused(.staleSequence)
                    : .recognised(session: 1, sequence: sequence, .deleted(false))
                #expect(again == expected, "\(order), \(sequence)")
            }
        }
    }
}
