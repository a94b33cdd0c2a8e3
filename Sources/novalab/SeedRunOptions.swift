import ArgumentParser
import Experiments
import Foundation
import Scenarios
import Units

/// How commands run many seeds: in processes of their own, some at a time.
struct SeedRunOptions: ParsableArguments {
    /// What one run may take of real time, unless it is said.
    static let usualLimit = "10 min"

    @Option(help: "Runs at a time; all cores without it. The result does not depend on it.")
    var jobs: Int?

    @Option(help: "Real time for one run, after which it counts as crashed.")
    var limit = SeedRunOptions.usualLimit

    func validate() throws {
        if let jobs, jobs < 1 { throw ValidationError("--jobs is at least 1") }
        guard let time = Quantity.interval(limit), time > .zero else {
            throw ValidationError("'\(limit)' is not a time; write for example 10 min")
        }
    }

    var runsAtATime: Int { jobs ?? ProcessInfo.processInfo.activeProcessorCount }

    /// Processes that run seeds of a scenario.
    func workers(for preparation: Preparation) -> SeedWorkers {
        SeedWorkers.ownProgram(preparation, limitSeconds: Quantity.interval(limit)!.seconds)
    }

    /// The options that were given, as one writes them.
    var words: [String] {
        (jobs.map { ["--jobs", "\($0)"] } ?? [])
            + (limit == SeedRunOptions.usualLimit ? [] : ["--limit", "'\(limit)'"])
    }
}
