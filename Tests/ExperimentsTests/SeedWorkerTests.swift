import Experiments
import Foundation
import Measurements
import Synchronization
import Testing

/// Goal: a process that dies takes only its seed with it, and what is wrong with the process itself is
/// told as such.
/// Method: shell scripts stand for processes: they trap, refuse, hang, or print nonsense.
@Suite struct SeedWorkerTests {
    // An order for a process that has ended must not end this one; the program does the same.
    init() { signal(SIGPIPE, SIG_IGN) }

    private func workers(_ script: String, limit: Double = 30) -> SeedWorkers {
        SeedWorkers(limitSeconds: limit) {
            try SeedWorker(
                executable: "/bin/sh",
                arguments: ["-c", script],
                environment: [:],
                describe: { errors, signal in
                    "signal \(signal ?? 0): \(errors.split(separator: "\n").last ?? "")"
                }
            )
        }
    }

    private let order = SeedOrder(variant: "default", seed: 9)

    @Test func aTrapBecomesTheSeedsFailure() throws {
        let workers = workers("read order; echo Fatal error at 17 >&2; kill -ILL $$")
        for _ in 0..<2 {
            let answer = try #require(try workers.run(order, 0, { false }))
            #expect(answer.result.seed == 9 && answer.result.isFailing)
            #expect(answer.result.signature?.kind == .crash)
            #expect(answer.result.signature?.shape == "signal #: Fatal error at #")
        }
    }

    @Test func aProcessServesManySeedsUntilItIsRenewed() throws {
        // The script answers with its own process number as the count of events.
        let answer = try JSONEncoder().encode(ChaosSamples.passed(order))
        let text = String(decoding: answer, as: UTF8.self)
            .replacing("\"events\":10", with: "\"events\":'$$'")
        #expect(text.contains("'$$'"))
        let workers = workers("while read order; do echo noise; echo '\(text)'; done")
        func process(_ slot: Int) throws -> UInt64 {
            try #require(try workers.run(order, slot, { false })).result.events
        }
        let first = try process(0)
        #expect(try process(0) == first)
        let other = try process(1)
        #expect(other != first)
        workers.renew()
        #expect(try process(0) != first)
        workers.renew()
    }

    @Test func whatKeepsAProcessFromServingIsNoCrash() throws {
        let workers = workers("echo scenario.yaml: bad >&2; exit 65")
        let failure = #expect(throws: SeedWorker.Failure.self) {
            _ = try workers.run(order, 0, { false })
        }
        #expect(failure?.code == 65)
        #expect(failure?.description == "scenario.yaml: bad\n")
    }

    @Test func aSeedThatDoesNotEndIsEnded() throws {
        let workers = workers("read order; exec sleep 600", limit: 0.2)
        let answer = try #require(try workers.run(order, 0, { false }))
        #expect(answer.result.signature?.kind == .crash)
        #expect(answer.result.signature?.shape.contains("no end") == true)
    }

    @Test func aCancelledSeedLeavesNoResult() throws {
        let workers = workers("read order; exec sleep 600")
        let asked = Atomic<Int>(0)
        let answer = try workers.run(order, 0) {
            asked.wrappingAdd(1, ordering: .relaxed).newValue > 2
        }
        #expect(answer?.result == nil)
    }
}
