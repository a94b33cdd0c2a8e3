import Foundation
import Scenarios
import Testing
import Units

/// Goal: the resolved form is complete, means the same, and identifies the scenario.
@Suite struct ResolvedTests {
    @Test func theResolvedFormReadsBackAsTheSameScenario() throws {
        // Method: write out samples and shipped files, read that, compare values and a second text.
        let shipped = try Samples.shipped.map { try String(contentsOf: $0, encoding: .utf8) }
        let samples = [Samples.minimal, Samples.complete, Samples.boot, Samples.nodeBoot]
        for text in samples + shipped {
            let scenario = try Samples.parsed(text)
            let resolved = scenario.resolvedText
            let again = try Samples.parsed(resolved)
            #expect(again == scenario)
            #expect(again.resolvedText == resolved)
            #expect(again.digest == scenario.digest)
        }
    }

    @Test func everythingIsWrittenOut() throws {
        let resolved = try Samples.parsed(Samples.minimal).resolvedText
        for line in [
            "seed: 1", "environment: simulated", "limit: 1 BDP", "name: \"b->a\"", "delay: 40 ms",
            "streams: auto", "window: 32 MiB", "tls: false", "default:", "warmup: auto",
            "wall: 600 s",
        ] {
            #expect(resolved.contains(line), "\(line) is missing in\n\(resolved)")
        }
    }

    @Test func layoutDoesNotChangeTheDigestButMeaningDoes() throws {
        let original = try Samples.parsed(Samples.minimal)
        let relaid = Samples.minimal
            .replacing("rtt: 80 ms", with: "delay:   0.040 s  # half of it each way")
            .replacing("100 Mbit/s", with: "12.5 MB/s")
        #expect(try Samples.parsed(relaid).digest == original.digest)
        #expect(original.digest.count == 64)
        let changed = Samples.minimal.replacing("rtt: 80 ms", with: "rtt: 81 ms")
        #expect(try Samples.parsed(changed).digest != original.digest)
        // The first seed chooses replications and changes none.
        var reseeded = original
        reseeded.seed &+= 1
        #expect(reseeded.digest == original.digest)
    }

    @Test func sharesReadBackExactly() throws {
        // Goal: no share changes by being written. Method: many shares with up to six digits.
        var random = Xorshift(state: 9)
        for _ in 0..<300 {
            let text = "\(Double(random.next() % 99_999_999) / 1e6) %"
            let scenario = try Samples.parsed(
                Samples.minimal.replacing(
                    "rate: 100 Mbit/s",
                    with: "rate: 100 Mbit/s\n      background: \(text)"
                )
            )
            #expect(try Samples.parsed(scenario.resolvedText) == scenario, "\(text)")
        }
    }

    @Test func oddNumbersReadBackExactly() throws {
        // Goal: very small and very large numbers are written without exponents.
        let text = Samples.minimal.replacing(
            "rate: 100 Mbit/s",
            with: """
                rate: 9999.999999999 Gbit/s
                      background: 0.0000001 %
                      jitter: {distribution: lognormal, scale: 1 ns, sigma: 0.00000123}
                      loss: {model: gilbert, rate: 0.00001 %, burst: 999999.5}
                """
        )
        let scenario = try Samples.parsed(
            text + "targets: [{metric: encode-rate, expect: mean > 1 B/s}]\n"
        )
        #expect(scenario.topology.links[0].path.rate.bitsPerSecond == 9_999_999_999_999)
        #expect(try Samples.parsed(scenario.resolvedText) == scenario)
    }

    @Test func theSchemaIsJSONAndKnowsEveryKey() throws {
        // Goal: editors know the language. Method: read the schema as JSON, and look up the keys of
        // the complete sample and its resolved form, in the object where each stands.
        let json = try JSONSerialization.jsonObject(with: Data(ScenarioSchema.text.utf8))
        let root = try #require(json as? [String: Any])
        #expect(root["$schema"] as? String == "https://json-schema.org/draft/2020-12/schema")
        #expect(root["additionalProperties"] as? Bool == false)
        let known = keys(of: root)
        let samples = [Samples.complete, Samples.boot]
        for text in try samples + samples.map({ try Samples.parsed($0).resolvedText }) {
            for line in text.split(separator: "\n") where !line.contains("x-") {
                for match in line.matches(of: #/(?:^|[ {])([a-z][a-z-]+): /#) {
                    let key = String(match.1)
                    let isName = [
                        "us-east", "eu-west", "ap-south", "baseline", "dwcp", "anything",
                        "store", "signer", "configuration", "cache", "api", "one", "two",
                    ].contains(key)
                    #expect(isName || known.contains(key), "\(key)")
                }
            }
        }
        #expect(
            known.isSuperset(of: [
                "version", "topology", "batch-pages", "probability", "crash-points",
            ])
        )
    }

    private func keys(of schema: Any) -> Set<String> {
        if let list = schema as? [Any] {
            return list.reduce(into: []) { $0.formUnion(keys(of: $1)) }
        }
        guard let object = schema as? [String: Any] else { return [] }
        var found: Set<String> = []
        if let properties = object["properties"] as? [String: Any] {
            found.formUnion(properties.keys)
        }
        for value in object.values { found.formUnion(keys(of: value)) }
        return found
    }
}

/// A small generator for tests (Marsaglia 2003).
struct Xorshift: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return state
    }
}
