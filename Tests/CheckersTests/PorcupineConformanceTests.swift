import Checkers
import Foundation
import Testing

// Goal: histories whose verdicts others have established get the same verdicts here, quickly.
// Method: 70 logs of an etcd register and four key-value histories that lie beside the project,
// each with and without the filter of unobserved operations. Times are printed; what is gated is
// the number of operations tried, which is the same on every machine.
@Suite(.serialized) struct PorcupineConformanceTests {
    private static let isThere = PorcupineLogs.folder != nil
    private static let reason: Comment = "no shared/conformance/porcupine beside the project"

    @Test(.enabled(if: isThere, reason)) func registersOfEtcd() throws {
        let folder = try #require(PorcupineLogs.folder)
        let expected = try PorcupineLogs.expectations(folder).filter { $0.model == "etcd-register" }
        #expect(expected.count == 70)
        var steps = 0
        var verdictTime = Duration.zero
        var fullTime = Duration.zero
        var slowest = Duration.zero
        for expectation in expected {
            let text = try PorcupineLogs.text(expectation.file, in: folder)
            let history = try PorcupineLogs.register(text)
            let wanted: LinearizabilityVerdict =
                expectation.isLinearizable ? .linearizable : .notLinearizable
            var checker = LinearizabilityChecker(RegisterModel())
            let clock = ContinuousClock()
            checker.locatesFailure = false
            var report = checker.check(history)
            let time = clock.measure { report = checker.check(history) }
            verdictTime += time
            slowest = max(slowest, time)
            #expect(report.verdict == wanted, "\(expectation.file)")
            steps += report.steps
            checker.locatesFailure = true
            fullTime += clock.measure { report = checker.check(history) }
            #expect((report.failure == nil) == expectation.isLinearizable)
            if let failure = report.failure {
                try Self.isShortest(failure, history, RegisterModel(), expectation.file)
            }
            checker.dropsUnobserved = false
            checker.usesForesight = false
            #expect(checker.check(history).verdict == wanted, "\(expectation.file), plain")
        }
        print(
            """
            70 registers: \(verdictTime) in sum, slowest \(slowest); with the failing prefix \
            \(fullTime); \(steps) steps
            """
        )
        #expect(steps < 60_000)
    }

    @Test(.enabled(if: isThere, reason)) func keyValueHistories() throws {
        let folder = try #require(PorcupineLogs.folder)
        let expected = try PorcupineLogs.expectations(folder).filter { $0.model == "kv" }
        #expect(expected.count == 4)
        for expectation in expected {
            let text = try PorcupineLogs.text(expectation.file, in: folder)
            let clients = try PorcupineLogs.keyValue(text)
            let (model, history, _) = KeyValueModel.prepare(clients, initial: "")
            var checker = LinearizabilityChecker(model)
            checker.locatesFailure = false
            var report = checker.check(history)
            let clock = ContinuousClock()
            let prepared = clock.measure { _ = KeyValueModel.prepare(clients, initial: "") }
            let times = (0..<11).map { _ in
                clock.measure { report = checker.check(history) }
            }
            let time = times.sorted()[5]
            let wanted: LinearizabilityVerdict =
                expectation.isLinearizable ? .linearizable : .notLinearizable
            #expect(report.verdict == wanted, "\(expectation.file)")
            print(
                """
                \(expectation.file): \(time) and \(prepared) to prepare, \(report.steps) steps, \
                \(report.parts) parts
                """
            )
            #expect(report.steps < 2_000)
            checker.locatesFailure = true
            report = checker.check(history)
            if let failure = report.failure {
                try Self.isShortest(failure, history, model, expectation.file)
            }
        }
    }

    /// A prefix is the shortest failing one when it fails, and does not without its last return.
    private static func isShortest<Model: SequentialModel>(
        _ failure: LinearizabilityFailure,
        _ history: [ObservedOperation<Model.Operation>],
        _ model: Model,
        _ name: String
    ) throws {
        #expect(failure.isMinimal, "\(name)")
        for (end, wanted) in [
            (failure.end, LinearizabilityVerdict.notLinearizable), (failure.end - 1, .linearizable),
        ] {
            let prefix = history.compactMap { observed in
                Self.cut(observed, at: end, model)
            }
            let checker = LinearizabilityChecker(
                model,
                dropsUnobserved: false,
                usesForesight: false,
                locatesFailure: false
            )
            #expect(checker.check(prefix).verdict == wanted, "\(name), prefix to \(end)")
        }
    }

    private static func cut<Model: SequentialModel>(
        _ observed: ObservedOperation<Model.Operation>,
        at end: Int,
        _ model: Model
    ) -> ObservedOperation<Model.Operation>? {
        guard observed.called <= end else { return nil }
        guard let returned = observed.returned, returned > end else { return observed }
        guard let open = model.unanswered(observed.operation) else { return nil }
        var observed = observed
        observed.operation = open
        observed.returned = nil
        return observed
    }
}
