import Experiments
import Foundation
import Measurements
import RaftDefects
import Statistics
import Units

/// What became of one planted defect.
struct DetectionFinding: Encodable {
    /// `nil` for the sound protocol.
    let defect: String?
    let number: Int?
    var scenario: String?
    /// The first seed that failed; `nil` when none did.
    var seed: UInt64?
    /// What noticed it: an invariant, or a crash.
    var checker: String?
    var failure: String?
    /// Seeds up to and including the one that failed, of all scenarios, and their simulated time.
    var seeds = 0
    var simulatedSeconds = 0.0
    var shrunk: Shrunk?
    /// How many seeds of each scenario it was looked for in, at most.
    var reached = 0

    /// What is left of the failure.
    struct Shrunk: Encodable {
        let faultsBefore: Int
        let faultsAfter: Int
        let runs: Int
        let realSeconds: Double
        /// The time was over before nothing could be left out any more.
        let isInterrupted: Bool

        init(_ outcome: ShrinkOutcome, seconds: Double) {
            faultsBefore = outcome.faultsBefore
            faultsAfter = outcome.faultsAfter
            runs = outcome.runs
            realSeconds = seconds
            isInterrupted = outcome.isInterrupted
        }
    }

    init(_ defect: RaftDefect?) {
        self.defect = defect?.rawValue
        number = defect?.number
    }

    var name: String { defect ?? "sound" }

    mutating func take(_ results: [Int: SeedResult], of scenario: String) {
        for index in results.keys.sorted() {
            guard seed == nil, let result = results[index] else { return }
            seeds += 1
            simulatedSeconds += result.simulatedSeconds
            if let signature = result.signature, signature.kind != .undecided {
                seed = result.seed
                checker = signature.rule
                failure = signature.text
                self.scenario = scenario
            }
        }
    }

    /// What became of the faults of all failures that were made small; `nil` when none was.
    static func summary(of findings: [DetectionFinding]) -> String? {
        let shrunk = findings.compactMap(\.shrunk)
        let before = shrunk.reduce(0) { $0 + $1.faultsBefore }
        let after = shrunk.reduce(0) { $0 + $1.faultsAfter }
        guard before > 0 else { return nil }
        let seconds = shrunk.map(\.realSeconds).sorted()
        let share = Decimals.text(100 * Double(before - after) / Double(before), places: 1)
        let median = Decimals.text(Quantile.median(sorted: seconds), places: 0)
        return
            "shrunk   \(before) → \(after) faults (\(share) % left out), median \(median) s a failure"
    }

    var row: String {
        let label = number.map { "\($0)" } ?? ""
        let title = label.padded(to: 3) + name.padded(to: 28)
        guard let seed, let checker, let scenario else {
            let verdict = defect == nil ? "clean" : "NOT FOUND"
            return "\(title)\(verdict) in \(counted(seeds, "seed"))"
        }
        let minutes = Decimals.text(simulatedSeconds / 60, places: 1)
        let place = defect == nil ? "FAILED" : "found"
        var text =
            "\(title)\(place) by \(checker) after \(counted(seeds, "seed")), \(minutes) min simulated "
            + "(\(scenario), seed \(seed))"
        if let shrunk {
            text +=
                "; faults \(shrunk.faultsBefore) → \(shrunk.faultsAfter) in "
                + counted(shrunk.runs, "run") + (shrunk.isInterrupted ? ", not to the end" : "")
        }
        return text
    }
}

extension String {
    fileprivate func padded(to width: Int) -> String {
        padding(toLength: max(width, count), withPad: " ", startingAt: 0)
    }
}
