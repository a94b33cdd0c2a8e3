import Determinism
import Metrics
import NodeOperations
import Synchronization
import Testing
import Units

// Goal: the registry writes text that Prometheus reads, for any name, label and value, within its
// bounds. Method: exact texts, a strict reader of the format over random metrics, and threads.
@Suite struct PrometheusRegistryTests {
    @Test func eachKindIsWritten() {
        let registry = PrometheusRegistry()
        registry.describe("b_seconds", "Time.\nIn \\seconds.", buckets: [0.5, 2])
        Counter(label: "a_total", dimensions: [("z", "1"), ("b", "x\"\\\ny")], factory: registry)
            .increment(by: 3)
        FloatingPointCounter(label: "cpu", factory: registry).increment(by: 0.25)
        Gauge(label: "c", factory: registry).record(-1.5)
        Gauge(label: "c", dimensions: [("k", "v")], factory: registry).record(Double.infinity)
        Meter(label: "d", factory: registry).increment(by: 2)
        let timer = Timer(label: "b_seconds", factory: registry)
        timer.recordNanoseconds(400_000_000)
        timer.recordNanoseconds(500_000_000)
        timer.recordNanoseconds(3_000_000_000)
        #expect(
            registry.text == """
                # TYPE a_total counter
                a_total{b="x\\"\\\\\\ny",z="1"} 3
                # HELP b_seconds Time.\\nIn \\\\seconds.
                # TYPE b_seconds histogram
                b_seconds_bucket{le="0.5"} 2
                b_seconds_bucket{le="2"} 2
                b_seconds_bucket{le="+Inf"} 3
                b_seconds_sum 3.9
                b_seconds_count 3
                # TYPE c gauge
                c -1.5
                c{k="v"} +Inf
                # TYPE cpu counter
                cpu 0.25
                # TYPE d gauge
                d 2
                # HELP metrics_dropped_series_total Series that were not kept: too many, or one \
                name for two kinds.
                # TYPE metrics_dropped_series_total counter
                metrics_dropped_series_total 0

                """
        )
    }

    @Test func equalNamesAndLabelsAreOneSeries() {
        let registry = PrometheusRegistry()
        let first = Counter(label: "n", dimensions: [("a", "1"), ("b", "2")], factory: registry)
        first.increment()
        Counter(label: "n", dimensions: [("b", "2"), ("a", "1")], factory: registry).increment()
        #expect(registry.text.contains(#"n{a="1",b="2"} 2"#))
        first.destroy()
        #expect(!registry.text.contains("n{"))
    }

    @Test func countersOnlyGoUp() {
        let registry = PrometheusRegistry()
        let counter = Counter(label: "n", factory: registry)
        counter.increment(by: 5)
        counter.increment(by: -3)
        #expect(registry.text.contains("n 5\n"))
        counter.increment(by: Int64.max)
        #expect(registry.text.contains("n \(Int64.max)\n"))
        let real = FloatingPointCounter(label: "r", factory: registry)
        real.increment(by: Double(1.5))
        real.increment(by: -Double.infinity)
        real.increment(by: Double.nan)
        #expect(registry.text.contains("r 1.5\n"))
    }

    @Test func whatIsBeyondTheBoundsIsCounted() {
        let registry = PrometheusRegistry(familyLimit: 3, seriesLimit: 2)
        for label in 0..<5 {
            Counter(label: "n", dimensions: [("l", "\(label)")], factory: registry).increment()
        }
        Gauge(label: "n", factory: registry).record(1)
        Timer(label: "t", factory: registry).recordNanoseconds(1)
        // A histogram has samples of this name already.
        Counter(label: "t_count", factory: registry).increment()
        Counter(label: "o", factory: registry).increment()
        Counter(label: "p", factory: registry).increment()
        let text = registry.text
        #expect(text.contains(#"n{l="1"} 1"#) && !text.contains(#"n{l="2"}"#))
        #expect(text.contains("o 1\n") && !text.contains("p 1\n"))
        #expect(text.contains("metrics_dropped_series_total 6\n"))
    }

    @Test func manyThreadsCountTogether() async {
        let registry = PrometheusRegistry()
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    for number in 0..<500 {
                        Counter(label: "n", dimensions: [("l", "\(number % 7)")], factory: registry)
                            .increment()
                        if number % 100 == 0 { _ = registry.text }
                    }
                }
            }
        }
        let total = registry.text.split(separator: "\n").filter { $0.hasPrefix("n{") }
            .compactMap { Int($0.split(separator: " ")[1]) }.reduce(0, +)
        #expect(total == 4000)
    }

    @Test func anyNameAndLabelIsReadable() throws {
        var random = SeededRandom(seed: 7, entity: EntityID(.node, 0), purpose: "metric names")
        let alphabet = Array("abzAZ019_:-. \"\\\n{}=,#é💡\u{0}le").map { String($0) }
        func word() -> String {
            (0..<random.below(6)).map { _ in alphabet[Int(random.below(UInt64(alphabet.count)))] }
                .joined()
        }
        for _ in 0..<400 {
            let registry = PrometheusRegistry(familyLimit: 20, seriesLimit: 5)
            for _ in 0..<60 {
                let name = word()
                let labels = (0..<random.below(4)).map { _ in (word(), word()) }
                if random.below(4) == 0 { registry.describe(name, word()) }
                let value = [0, 1.5, -2, .nan, .infinity, 1e300, 1e-300][Int(random.below(7))]
                switch random.below(5) {
                case 0: Counter(label: name, dimensions: labels, factory: registry).increment()
                case 1: Gauge(label: name, dimensions: labels, factory: registry).record(value)
                case 2: Recorder(label: name, dimensions: labels, factory: registry).record(value)
                case 3:
                    Timer(label: name, dimensions: labels, factory: registry).recordNanoseconds(1)
                default: Meter(label: name, dimensions: labels, factory: registry).set(value)
                }
            }
            let text = registry.text
            try PrometheusReader.check(text)
            #expect(registry.text == text)
        }
    }
}

/// Reads the text format strictly.
private enum PrometheusReader {
    struct Failure: Error {
        var line: String
    }

    static func check(_ text: String) throws {
        #expect(text.hasSuffix("\n"))
        var types: [String: String] = [:]
        var current = ""
        var seen: Set<String> = []
        let sample =
            /(?<name>[a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(?<labels>.*)\})? (?<value>NaN|[+-]Inf|-?[0-9][0-9.e+-]*)/
            .dotMatchesNewlines()
        let label = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\\\|\\"|\\n)*)"/
        for line in text.unicodeScalars.split(separator: "\n").map({ String($0) }) {
            if line.hasPrefix("# HELP ") { continue }
            if line.hasPrefix("# TYPE ") {
                let words = line.split(separator: " ")
                guard words.count == 4, types[String(words[2])] == nil else {
                    throw Failure(line: line)
                }
                current = String(words[2])
                types[current] = String(words[3])
                continue
            }
            guard let match = line.wholeMatch(of: sample) else { throw Failure(line: line) }
            let name = String(match.output.name)
            let suffixes = types[current] == "histogram" ? ["_bucket", "_sum", "_count"] : [""]
            guard suffixes.contains(where: { current + $0 == name }) else {
                throw Failure(line: line)
            }
            var names: Set<String> = []
            var rest = Substring(match.output.labels ?? "")
            while !rest.isEmpty {
                guard let pair = rest.prefixMatch(of: label),
                    names.insert(String(pair.output.1)).inserted
                else { throw Failure(line: line) }
                rest = rest[pair.range.upperBound...]
                if rest.first == "," {
                    rest.removeFirst()
                } else if !rest.isEmpty {
                    throw Failure(line: line)
                }
            }
            let series = line.dropLast(match.output.value.count)
            guard seen.insert(String(series)).inserted else { throw Failure(line: line) }
        }
    }
}
