import Checkers
import Determinism
import Glibc
import Units

// What the linearizability checker takes for histories of several shapes: the time and the number of
// operations tried, for histories that are right by construction and for mutated ones. Times are for
// reading; nothing is gated here.

struct Shape {
    var name: String
    var generator: HistoryGenerator
}

func shape(_ name: String, _ generator: HistoryGenerator) -> Shape {
    Shape(name: name, generator: generator)
}

let appends: [ClientHistory.Kind] = [.get, .get, .append, .append, .append, .put]
let shapes = [
    shape(
        "register, 5 clients, 170, 20 % unknown",
        HistoryGenerator(
            processes: 5,
            operations: 170,
            values: 5,
            unknown: Ratio(0.2)
        )
    ),
    shape(
        "register, 10 clients, 2000, 5 % unknown",
        HistoryGenerator(
            processes: 10,
            operations: 2000,
            values: 5,
            unknown: Ratio(0.05)
        )
    ),
    shape(
        "register, 30 clients, 2000, 5 % unknown",
        HistoryGenerator(
            processes: 30,
            operations: 2000,
            values: 5,
            unknown: Ratio(0.05),
            patience: Ratio(0.5)
        )
    ),
    shape(
        "unique values, 30 clients, 3000, 10 % unknown",
        HistoryGenerator(
            processes: 30,
            operations: 3000,
            unknown: Ratio(0.1),
            patience: Ratio(0.5)
        )
    ),
    shape(
        "unique values, 100 clients, 10000",
        HistoryGenerator(
            processes: 100,
            operations: 10_000,
            patience: Ratio(0.5)
        )
    ),
    shape(
        "appends, 10 clients, 10 keys, 340",
        HistoryGenerator(
            processes: 10,
            operations: 340,
            keys: 10,
            mix: appends
        )
    ),
    shape(
        "appends, 50 clients, 10 keys, 5000",
        HistoryGenerator(
            processes: 50,
            operations: 5000,
            keys: 10,
            mix: appends,
            patience: Ratio(0.5)
        )
    ),
    shape(
        "appends, 50 clients, 1 key, 1000",
        HistoryGenerator(
            processes: 50,
            operations: 1000,
            mix: appends,
            patience: Ratio(0.5)
        )
    ),
    shape(
        "everything, 20 clients, 20 keys, 5000, 5 % unknown",
        HistoryGenerator(
            processes: 20,
            operations: 5000,
            keys: 20,
            values: 10,
            mix: [.get, .put, .append, .compareAndSwap, .delete],
            unknown: Ratio(0.05)
        )
    ),
    shape(
        "scans, 10 clients, 10 keys, 1000",
        HistoryGenerator(
            processes: 10,
            operations: 1000,
            keys: 10,
            mix: [.get, .put, .put, .compareAndSwap, .delete, .scan],
            unknown: Ratio(0.02)
        )
    ),
    shape(
        "scans, 20 clients, 10 keys, 1000",
        HistoryGenerator(
            processes: 20,
            operations: 1000,
            keys: 10,
            mix: [.get, .put, .put, .compareAndSwap, .delete, .scan],
            unknown: Ratio(0.02)
        )
    ),
    shape(
        "large, 50 clients, 100 keys, 200000, 1 % unknown",
        HistoryGenerator(
            processes: 50,
            operations: 200_000,
            keys: 100,
            values: 1000,
            unknown: Ratio(0.01)
        )
    ),
]

let clock = ContinuousClock()
let wanted = CommandLine.arguments.dropFirst().first
for shape in shapes where wanted.map({ shape.name.hasPrefix($0) }) ?? true {
    for mutations in [0, 1, 20] {
        var times: [Duration] = []
        var steps = 0
        var verdicts: [String: Int] = [:]
        for seed in 0..<UInt64(5) {
            var random = SeededRandom(
                seed: seed,
                entity: EntityID(.experiment, 0),
                purpose: "checker-times"
            )
            var history = shape.generator.linearizable(using: &random)
            if mutations > 0 {
                history = HistoryGenerator.mutated(history, changes: mutations, using: &random)
            }
            var report = LinearizabilityReport(verdict: .linearizable)
            times.append(
                clock.measure {
                    let (model, operations, _) = KeyValueModel.prepare(history)
                    let limits = LinearizabilityLimits(steps: 500_000)
                    let checker = LinearizabilityChecker(
                        model,
                        limits: limits,
                        locatesFailure: false
                    )
                    report = checker.check(operations)
                }
            )
            steps = max(steps, report.steps)
            verdicts["\(report.verdict)".prefix(8).description, default: 0] += 1
        }
        let words = verdicts.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }
        print(
            "\(shape.name), \(mutations) changed: median \(times.sorted()[2]), "
                + "most \(times.max()!), \(steps) steps at most; \(words.joined(separator: ", "))"
        )
        fflush(nil)
    }
}
