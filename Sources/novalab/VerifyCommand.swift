import ArgumentParser
import Checkers
import Foundation
import Units

struct VerifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Checks whether recorded client histories are linearizable.",
        discussion: """
            A history is a text file with one JSON object a line, a call or its end, in the order \
            of time:
              {"time":1000,"process":3,"type":"invoke","operation":"put","key":"a","value":"1"}
              {"time":2500,"process":3,"type":"ok"}
            Times are nanoseconds. Operations: get, put, append, cas, delete, scan. Ends: ok, fail \
            (surely did not happen), unknown (timed out). docs/client-histories.md has the fields.

            Examples:
              novalab verify history.jsonl
              novalab verify history.jsonl --picture failure.svg
              novalab verify client-*.jsonl --merge --time-limit 600
              novalab verify history.jsonl --initial '' --json

            Exit codes: 0 all linearizable, 10 one is not, 2 a bound was reached before there was \
            an answer, 66 a file that cannot be read.
            """
    )

    @Argument(help: "Histories, each judged by itself.", completion: .file(extensions: ["jsonl"]))
    var files: [String]

    @Flag(help: "The files are parts of one history: clients of one run on one clock.")
    var merge = false

    @Option(help: "The value of every key at the beginning; without it keys have none.")
    var initial: String?

    @Option(help: "Draws the first failure as SVG.", completion: .file(extensions: ["svg"]))
    var picture: String?

    @Option(help: "The most seconds a history may take.")
    var timeLimit = 300.0

    @Option(help: "The most memory of one search, in MiB.")
    var memoryLimit = 2048

    @Flag(help: "Also search with unanswered operations whose effect nobody saw.")
    var keepUnobserved = false

    @Flag(help: "Print JSON; docs/json-output.md has the fields.")
    var json = false

    func validate() throws {
        guard timeLimit > 0, timeLimit.isFinite else {
            throw ValidationError("--time-limit is more than zero")
        }
        guard (1...1 << 30).contains(memoryLimit) else {
            throw ValidationError("--memory-limit is at least 1")
        }
    }

    func run() throws {
        let histories = try load()
        var listed: [VerifiedHistory] = []
        var codes: Set<Int32> = []
        var isDrawn = false
        for (name, history) in histories {
            let start = ContinuousClock.now
            let deadline = start.advanced(by: .seconds(timeLimit))
            let limits = LinearizabilityLimits(
                steps: .max,
                memory: .mebibytes(Int64(memoryLimit)),
                isOver: { ContinuousClock.now >= deadline }
            )
            let verification = HistoryVerification(
                history,
                initial: initial,
                limits: limits,
                dropsUnobserved: !keepUnobserved
            )
            let seconds = (ContinuousClock.now - start) / .seconds(1)
            if let path = picture, !isDrawn, let drawing = verification.picture {
                try draw(drawing, to: path)
                isDrawn = true
            }
            codes.insert(Self.code(verification.report.verdict))
            let item = VerifiedHistory(name, verification, seconds: seconds)
            listed.append(item)
            if !json { print(item.text) }
        }
        if json { try JSONOutput.print(listed) }
        for code: Int32 in [10, 2] where codes.contains(code) { throw ExitCode(code) }
    }

    private static func code(_ verdict: LinearizabilityVerdict) -> Int32 {
        switch verdict {
        case .linearizable: 0
        case .notLinearizable: 10
        case .unknown: 2
        }
    }

    private func load() throws -> [(name: String, history: ClientHistory)] {
        do {
            let loaded = try files.map { path in
                do throws(HistoryError) {
                    return (name: path, history: try HistoryFile.read(path))
                } catch .line(let number, let problem) {
                    throw CommandFailure(code: 66, message: "\(path):\(number): \(problem)")
                }
            }
            guard merge, loaded.count > 1 else { return loaded }
            let name = loaded.map(\.name).joined(separator: " + ")
            return [(name, try ClientHistory.merged(loaded.map(\.history)))]
        } catch let error as HistoryError {
            throw CommandFailure(code: 66, message: error.description)
        }
    }

    private func draw(_ drawing: HistoryPicture, to path: String) throws {
        do {
            try Data(drawing.svg.utf8).write(to: URL(filePath: path), options: .atomic)
        } catch {
            let reason = (error as NSError).localizedDescription
            throw CommandFailure(code: 74, message: "cannot write \(path): \(reason)")
        }
    }
}

/// `verify --json`: one a history.
struct VerifiedHistory: Encodable {
    let history: String
    /// `linearizable`, `not-linearizable` or `unknown`.
    let verdict: String
    /// Which bound was reached: `steps`, `memory`, `time`; `null` with an answer.
    let bound: JSONOutput.Nullable<String>
    let operations: Int
    let parts: Int
    let unobserved: Int
    let steps: Int
    let configurations: Int
    let seconds: Double
    let failure: JSONOutput.Nullable<Failure>

    struct Failure: Encodable {
        let isMinimal: Bool
        let explanation: [String]
    }

    init(_ name: String, _ verification: HistoryVerification, seconds: Double) {
        let report = verification.report
        history = name
        operations = verification.checked
        parts = report.parts
        unobserved = report.dropped
        steps = report.steps
        configurations = report.configurations
        self.seconds = seconds
        switch report.verdict {
        case .linearizable: verdict = "linearizable"
        case .notLinearizable: verdict = "not-linearizable"
        case .unknown: verdict = "unknown"
        }
        if case .unknown(let reached) = report.verdict {
            bound = JSONOutput.Nullable(reached.rawValue)
        } else {
            bound = JSONOutput.Nullable(nil)
        }
        failure = JSONOutput.Nullable(
            report.failure.map {
                Failure(isMinimal: $0.isMinimal, explanation: verification.explanation)
            }
        )
    }

    /// One line, and what failed below it.
    var text: String {
        let words =
            switch verdict {
            case "linearizable": "linearizable"
            case "unknown": "unknown: the bound on \(bound.value ?? "") was reached"
            default: "NOT linearizable"
            }
        let head =
            "\(history): \(words), \(counted(operations, "operation")) in "
            + "\(counted(parts, "part")), \(counted(steps, "step"))"
        return ([head] + (failure.value?.explanation ?? []).map { "  " + $0 })
            .joined(separator: "\n")
    }
}
