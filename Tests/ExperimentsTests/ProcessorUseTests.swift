import Experiments
import Testing
import Units

/// Goal: what processes used in a window follows from their samples, and nothing is said where they do
/// not tell it.
/// Method: hand-made samples; and this process, which does something.
@Suite struct ProcessorUseTests {
    private func use() -> ProcessorUse {
        var use = ProcessorUse(nodes: 2, cores: 2)
        for (time, used, waited) in [(-50, 10, 0), (50, 20, 4), (150, 100, 14), (250, 110, 94)] {
            use.add(
                ProcessorUse.Sample(
                    time: .zero + .milliseconds(Int64(time)),
                    used: .milliseconds(Int64(used)),
                    steps: ProcessorUse.StepTime(
                        ran: .milliseconds(Int64(used) / 2),
                        waited: .milliseconds(Int64(waited))
                    )
                ),
                of: 0
            )
        }
        return use
    }

    @Test func useBetweenSamplesIsEven() {
        let use = use()
        func used(_ from: Int64, _ to: Int64) -> Interval? {
            use.used(
                by: [NodeID(0)],
                from: .zero + .milliseconds(from),
                to: .zero + .milliseconds(to)
            )
        }
        #expect(used(50, 150) == .milliseconds(80))
        #expect(used(0, 250) == .milliseconds(95))
        #expect(used(100, 200) == .milliseconds(45))
        // Before the first and after the last sample nobody was watching.
        #expect(used(-60, 100) == nil)
        #expect(used(50, 251) == nil)
    }

    @Test func waitAndNeedArePartsOfTheTime() throws {
        let use = use()
        func busiest(_ from: Int64, _ to: Int64) -> (wait: Ratio, need: Ratio)? {
            use.busiest(
                of: [NodeID(0)],
                from: .zero + .milliseconds(from),
                to: .zero + .milliseconds(to)
            )
        }
        let early = try #require(busiest(50, 150))
        #expect(abs(early.wait.value - 0.1) < 1e-9 && abs(early.need.value - 0.5) < 1e-9)
        let late = try #require(busiest(150, 250))
        #expect(abs(late.wait.value - 0.8) < 1e-9 && abs(late.need.value - 0.85) < 1e-9)
        #expect(busiest(-60, 100) == nil)
    }

    // A kernel without such figures leaves them out; then nothing is said.
    @Test func waitThatIsNotToldIsNotClaimed() {
        var use = use()
        for time in [0, 300] as [Int64] {
            use.add(
                ProcessorUse.Sample(time: .zero + .milliseconds(time), used: .zero),
                of: 1
            )
        }
        let (start, end) = (Instant.zero, Instant.zero + .milliseconds(200))
        #expect(use.busiest(of: [NodeID(0), NodeID(1)], from: start, to: end) == nil)
        #expect(use.used(by: [NodeID(0), NodeID(1)], from: start, to: end) != nil)
    }

    // A total, as the differences between samples need it.
    @Test(.enabled(if: ProcessorUse.stepsOfThisThread() != nil, "the kernel tells no waits"))
    func aThreadThatRunsHasRun() throws {
        let before = try #require(ProcessorUse.stepsOfThisThread())
        var value: UInt64 = 1
        var after = before
        while after.ran == before.ran {
            for _ in 0..<100_000 { value = value &* 6_364_136_223_846_793_005 &+ 1 }
            after = try #require(ProcessorUse.stepsOfThisThread())
        }
        #expect(after.ran > before.ran && after.waited >= before.waited && value != 0)
    }

    @Test func nothingIsSaidOfProcessesThatDiedOrToldNothing() {
        var use = use()
        let (start, end) = (Instant.zero, Instant.zero + .milliseconds(100))
        #expect(use.used(by: [NodeID(0), NodeID(1)], from: start, to: end) == nil)
        #expect(use.used(by: [], from: start, to: end) == .zero)
        use.interrupt(0)
        #expect(use.used(by: [NodeID(0)], from: start, to: end) == nil)
    }

    @Test func thisProcessUsesTime() {
        let before = ProcessorUse.ofThisProcess()
        var value: UInt64 = 1
        var after = before
        while after == before {
            for _ in 0..<100_000 { value = value &* 6_364_136_223_846_793_005 &+ 1 }
            after = ProcessorUse.ofThisProcess()
        }
        #expect(after > before && value != 0)
    }
}
