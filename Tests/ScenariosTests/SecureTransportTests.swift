import Measurements
import Scenarios
import Testing
import Units

/// Goal: a scenario asks for TLS, a pace or a chosen congestion control in one variant or in all, and is refused where
/// it would not mean anything; the cost of a gigabyte can be a target, in its own unit only.
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

    @Test func aPaceIsARate() throws {
        let paced = try scenario("variants: {free: {}, paced: {transport: {pacing: 20 Mbit/s}}}")
        #expect(paced.variants.map(\.system.transport.pacing) == [nil, .megabits(20)])
        let slow = try scenario("system: {transport: {pacing: 1 kbit/s}}")
        #expect(slow.resolvedText.contains("pacing: 1"))
        #expect(isRefused("system: {transport: {pacing: 20}}"))
    }

    // A migration follows no measurement of its path, and would quietly stay with CUBIC.
    @Test func migrationsChooseNoCongestionControl() throws {
        let text = Samples.complete.replacing("congestion: newreno", with: "congestion: auto")
        #expect(text != Samples.complete)
        #expect(throws: (any Error).self) { try ScenarioFile.parse(text, file: "test.yaml") }
        let variant = Samples.complete.replacing(
            "transport: {streams: 1}",
            with: "transport: {streams: 1, congestion: auto}"
        )
        do {
            _ = try ScenarioFile.parse(variant, file: "test.yaml")
            Issue.record("it was taken")
        } catch {
            #expect(error.description.contains("'baseline' has congestion: auto"))
        }
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
