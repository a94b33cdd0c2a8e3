import Measurements
import Scenarios
import Testing
import Units

/// Goal: a scenario asks for TLS in one variant or in all, and is refused where it would not mean
/// anything; the cost of a gigabyte can be a target, in its own unit only.
/// Method: the smallest sample with such keys.
@Suite struct SecureTransportTests {
    private func scenario(_ lines: String) throws -> Scenario {
        try Samples.parsed(Samples.minimal + "\n" + lines)
    }

    private func isRefused(_ lines: String) -> Bool {
        do {
            _ = try ScenarioFile.parse(Samples.minimal + "\n" + lines, file: "test.yaml")
            return false
        } catch {
            return true
        }
    }

    @Test func variantsChooseTLS() throws {
        let plain = try scenario("")
        #expect(!plain.system.transport.tls)
        for kind in EnvironmentKind.allCases { #expect(plain.obstacle(on: kind) == nil) }
        let mixed = try scenario("variants: {open: {}, closed: {transport: {tls: true}}}")
        #expect(mixed.variants.map(\.system.transport.tls) == [false, true])
        #expect(mixed.obstacle(on: .sockets) == nil)
        let simulated = try #require(mixed.obstacle(on: .simulated))
        #expect(simulated.contains("'closed'") && simulated.contains("not modelled in simulation"))
        #expect(mixed.obstacle(on: .rdma)?.contains("RDMA have no TLS") == true)
        #expect(isRefused("system: {transport: {tls: yes please}}"))
    }

    @Test func theCostOfAGigabyteIsATarget() throws {
        let judged = try scenario("targets: [{metric: cpu-per-gb, expect: \"mean < 1.5 s/GB\"}]")
        #expect(judged.targets.first?.expectation == "mean < 1.5 s/GB")
        #expect(judged.targets.first?.threshold == 1.5)
        for wrong in ["1.5 s", "1.5", "1.5 s/MB"] {
            #expect(
                isRefused("targets: [{metric: cpu-per-gb, expect: \"mean < \(wrong)\"}]"),
                "\(wrong)"
            )
        }
    }
}
