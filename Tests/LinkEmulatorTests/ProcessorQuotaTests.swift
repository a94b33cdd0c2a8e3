import LinkEmulator
import Testing

// Goal: processors are kept awake only where nobody limits their time. Method: contents and paths of control
// groups' files as cgroups(7) has them.
@Suite struct ProcessorQuotaTests {
    @Test(arguments: [
        ("max 100000\n", false), ("200000 100000\n", true), ("-1\n", false), ("50000\n", true),
        ("", false),
    ])
    func limits(_ value: String, isLimit: Bool) {
        #expect(ProcessorQuota.limits(value) == isLimit)
    }

    @Test func everyGroupAboveCounts() {
        #expect(
            ProcessorQuota.ancestors("/sys/fs/cgroup", "/ci/job.7", "cpu.max") == [
                "/sys/fs/cgroup/cpu.max", "/sys/fs/cgroup/ci/cpu.max",
                "/sys/fs/cgroup/ci/job.7/cpu.max",
            ]
        )
        #expect(ProcessorQuota.ancestors("/sys/fs/cgroup", "/", "cpu.max").count == 1)
    }
}
