import Checkers
import Determinism
import Testing
import Units

// Goal: the search is right: every rule that makes it fast leaves the verdict as it is.
// Method: seeded small histories, right by construction and mutated, against a search that knows no
// tricks and a map that is written down again here; each switch of the checker on and off.
@Suite struct LinearizabilityTests {
    private static let shapes: [(name: String, generator: HistoryGenerator)] = {
        let small = HistoryGenerator(processes: 3, operations: 8, values: 3)
        var register = small
        register.unknown = Ratio(0.3)
        var unique = register
        unique.values = nil
        var appends = register
        appends.values = nil
        appends.mix = [.get, .append, .append, .put]
        var deletes = register
        deletes.values = 2
        deletes.mix = [.get, .put, .delete, .compareAndSwap, .append]
        var keys = register
        keys.keys = 3
        keys.mix = ClientHistory.Kind.allCases
        var scans = register
        scans.processes = 4
        scans.keys = 3
        scans.values = nil
        scans.mix = [.put, .put, .append, .scan, .delete]
        var crowded = register
        crowded.processes = 8
        crowded.operations = 9
        crowded.values = 2
        crowded.patience = Ratio(0.6)
        return [
            ("calm", small), ("register", register), ("unique", unique), ("appends", appends),
            ("deletes", deletes), ("keys", keys), ("scans", scans), ("crowded", crowded),
        ]
    }()

    @Test(arguments: shapes.map(\.name)) func agreesWithASearchWithoutTricks(shape: String) throws {
        let generator = try #require(Self.shapes.first { $0.name == shape }).generator
        var verdicts = [0, 0]
        for seed in 0..<UInt64(1500) {
            var random = SeededRandom(
                seed: seed,
                entity: EntityID(.experiment, 0),
                purpose: "histories"
            )
            var history = generator.linearizable(using: &random)
            #expect(PlainSearch(history).isLinearizable, "\(shape), seed \(seed), unmutated")
            if seed % 3 != 0 {
                let changes = 1 + Int(random.below(2))
                history = HistoryGenerator.mutated(history, changes: changes, using: &random)
            }
            let wanted = PlainSearch(history).isLinearizable
            verdicts[wanted ? 1 : 0] += 1
            let (model, operations, _) = KeyValueModel.prepare(history)
            for drops in [true, false] {
                for foresight in [true, false] {
                    var checker = LinearizabilityChecker(
                        model,
                        dropsUnobserved: drops,
                        usesForesight: foresight
                    )
                    // Small histories would hardly ever need foresight.
                    checker.triesEasyFirst = seed % 4 == 0
                    let report = checker.check(operations)
                    let isRight = report.verdict == (wanted ? .linearizable : .notLinearizable)
                    #expect(
                        isRight,
                        """
                        \(shape), seed \(seed), filter \(drops), foresight \(foresight): \
                        \(report.verdict)
                        """
                    )
                    if !isRight { return }
                    try Self.isSound(report, history)
                }
            }
        }
        // Both verdicts must have been put to the test.
        #expect(verdicts[0] > 50 && verdicts[1] > 200, "\(shape): \(verdicts)")
    }

    /// An order that was found explains every answer; a prefix that was found fails, and no shorter
    /// one does.
    private static func isSound(_ report: LinearizabilityReport, _ history: ClientHistory) throws {
        let (_, _, numbers) = KeyValueModel.prepare(history)
        if report.verdict == .linearizable {
            for order in report.linearizations {
                #expect(PlainSearch(history).explains(order.map { numbers[$0] }))
            }
            return
        }
        let failure = try #require(report.failure)
        #expect(failure.isMinimal)
        #expect(!PlainSearch(history, upTo: failure.end).isLinearizable)
        #expect(PlainSearch(history, upTo: failure.end - 1).isLinearizable)
    }

    @Test func theFilterDropsWhatNobodySaw() {
        var history = ClientHistory()
        func call(_ process: Int32, _ call: ClientHistory.Call) -> Int {
            history.invoke(process: process, call, at: .zero)
        }
        let lost = call(1, .put(key: "a", value: "lost"))
        history.giveUp(lost, at: .zero)
        let seen = call(2, .put(key: "a", value: "seen"))
        history.giveUp(seen, at: .zero)
        let read = call(3, .get(key: "a"))
        history.answer(read, .value("seen"), at: .zero)
        let (model, operations, _) = KeyValueModel.prepare(history)
        let report = LinearizabilityChecker(model).check(operations)
        #expect(report.verdict == .linearizable)
        #expect(report.dropped == 1)
        #expect(report.linearizations == [[1, 2]])
    }

    @Test func aRefusedSwapKeepsThePendingWriteThatItMayHaveSeen() {
        // Nobody read 2, and still only the open write of 2 explains why the swap was refused.
        let history: [ObservedOperation<RegisterModel.Operation>] = [
            ObservedOperation(process: 0, operation: .write(1), called: 0, returned: 1),
            ObservedOperation(process: 1, operation: .write(2), called: 2, returned: nil),
            ObservedOperation(
                process: 0,
                operation: .swap(from: 1, to: 3, .refused),
                called: 3,
                returned: 4
            ),
        ]
        let report = LinearizabilityChecker(RegisterModel()).check(history)
        #expect(report.verdict == .linearizable)
        #expect(report.dropped == 0)
    }

    @Test func boundsGiveUnknownWhichIsNoPass() {
        var random = SeededRandom(seed: 7, entity: EntityID(.experiment, 0), purpose: "bounds")
        let generator = HistoryGenerator(
            processes: 12,
            operations: 300,
            values: 3,
            unknown: Ratio(0.1),
            patience: Ratio(0.5)
        )
        let history = generator.linearizable(using: &random)
        let (model, operations, _) = KeyValueModel.prepare(history)
        for (limits, bound) in [
            (LinearizabilityLimits(steps: 50), LinearizabilityBound.steps),
            (LinearizabilityLimits(steps: .max, memory: .zero), .memory),
            (LinearizabilityLimits(steps: .max, isOver: { true }), .time),
        ] {
            // Without the rules the search is long enough to meet the bounds.
            var checker = LinearizabilityChecker(model, limits: limits)
            checker.usesForesight = false
            var mutated = history
            var verdict = LinearizabilityVerdict.linearizable
            for _ in 0..<60 where verdict == .linearizable || verdict == .notLinearizable {
                mutated = HistoryGenerator.mutated(history, changes: 3, using: &random)
                let (model, operations, _) = KeyValueModel.prepare(mutated)
                checker.model = model
                verdict = checker.check(operations).verdict
            }
            #expect(verdict == .unknown(bound))
            #expect(!verdict.isPass)
        }
        #expect(LinearizabilityChecker(model).check(operations).verdict == .linearizable)
    }
}

/// The definition, written down: every order of the operations that respects calls and returns, on
/// a map of texts.
struct PlainSearch {
    private var calls: [(call: ClientHistory.Call, answer: ClientHistory.Answer?)] = []
    private var spans: [(called: Int, returned: Int?)] = []
    private var numbers: [Int] = []

    init(_ history: ClientHistory, upTo end: Int = .max) {
        for number in 0..<history.count
        where history.outcome(of: number) != .failed && history.callPosition(of: number) <= end {
            let answer = history.answer(of: number)
            let returned = answer == nil ? nil : history.endPosition(of: number)
            let isCut = returned.map { $0 > end } ?? true
            calls.append((history.call(of: number), isCut ? nil : answer))
            spans.append((history.callPosition(of: number), isCut ? nil : returned))
            numbers.append(number)
        }
    }

    var isLinearizable: Bool {
        var seen: Set<Visited> = []
        return search([:], 0, &seen)
    }

    private struct Visited: Hashable {
        var store: [String: String]
        var done: UInt32
    }

    private func search(
        _ store: [String: String],
        _ done: UInt32,
        _ seen: inout Set<Visited>
    ) -> Bool {
        guard seen.insert(Visited(store: store, done: done)).inserted else { return false }
        let open = calls.indices.filter { done & 1 << UInt32($0) == 0 }
        if open.allSatisfy({ spans[$0].returned == nil }) { return true }
        let due = open.compactMap { spans[$0].returned }.min() ?? .max
        for index in open where spans[index].called < due {
            var copy = store
            let answer = PlainSearch.apply(calls[index].call, &copy)
            if let heard = calls[index].answer, !PlainSearch.agree(answer, heard) { continue }
            if search(copy, done | 1 << UInt32(index), &seen) { return true }
        }
        return false
    }

    /// Whether operations in this order respect calls and returns and explain all answers of the
    /// keys that they touch.
    func explains(_ order: [Int]) -> Bool {
        let positions = order.compactMap { number in numbers.firstIndex(of: number) }
        var store: [String: String] = [:]
        for (place, index) in positions.enumerated() {
            for later in positions[(place + 1)...] {
                if let end = spans[later].returned, end < spans[index].called { return false }
            }
            let answer = PlainSearch.apply(calls[index].call, &store)
            if let heard = calls[index].answer, !PlainSearch.agree(answer, heard) { return false }
        }
        return true
    }

    private static func agree(
        _ answer: ClientHistory.Answer,
        _ heard: ClientHistory.Answer
    ) -> Bool {
        if case .deleted = answer, heard == .done { return true }
        return answer == heard
    }

    private static func apply(
        _ call: ClientHistory.Call,
        _ store: inout [String: String]
    ) -> ClientHistory.Answer {
        switch call {
        case .get(let key): return .value(store[key])
        case .put(let key, let value):
            store[key] = value
            return .done
        case .append(let key, let value):
            store[key] = (store[key] ?? "") + value
            return .done
        case .compareAndSwap(let key, let expected, let value):
            guard store[key] == expected else { return .swapped(false) }
            store[key] = value
            return .swapped(true)
        case .delete(let key):
            let found = store[key]
            store[key] = nil
            return .deleted(found != nil)
        case .scan(let first, let end, let limit):
            var entries: [ClientHistory.Entry] = []
            for key in store.keys.sorted() where key >= first && (end.map { key < $0 } ?? true) {
                if let limit, entries.count == limit { break }
                entries.append(ClientHistory.Entry(key: key, value: store[key] ?? ""))
            }
            return .entries(entries)
        }
    }
}
