import Foundation
import Measurements
import Testing
import Units

/// Goal: a series keeps amounts, means and peaks whatever its buckets widen to, in bounded memory.
/// Method: recorded signals whose totals are known, with few buckets so that widening happens often.
@Suite struct SeriesTests {
    @Test func rateKeepsItsTotal() {
        var recorder = SeriesRecorder(
            name: "goodput",
            unit: "bit/s",
            kind: .rate,
            width: .milliseconds(1),
            limit: 16
        )
        for tick in 0..<1_000 {
            recorder.add(8_000, at: Instant(nanoseconds: Int64(tick) * 700_000))
        }
        let end = Instant(nanoseconds: 700_000_000)
        let series = recorder.finished(at: end)
        #expect(series.values.count <= 16)
        #expect(series.width == .milliseconds(64))
        // The last bucket covers 60 of its 64 ms.
        var total = 0.0
        for (index, value) in series.values.enumerated() {
            let begin = series.start + series.width * Int64(index)
            total += value * min(series.width, end - begin).seconds
        }
        #expect(abs(total - 8_000_000) < 1e-3)
    }

    @Test func levelIsTimeWeighted() {
        var recorder = SeriesRecorder(
            name: "queue",
            unit: "B",
            kind: .level,
            width: .milliseconds(10)
        )
        recorder.set(100, at: .zero)
        recorder.set(300, at: Instant(nanoseconds: 5_000_000))
        recorder.set(0, at: Instant(nanoseconds: 20_000_000))
        let series = recorder.finished(at: Instant(nanoseconds: 25_000_000))
        #expect(series.values == [200, 300, 0])
        #expect(series.points.map(\.seconds) == [0.005, 0.015, 0.025])
    }

    @Test func levelAndPeakSurviveWidening() {
        for kind in [Series.Kind.level, .peak] {
            var recorder = SeriesRecorder(
                name: "queue",
                unit: "B",
                kind: kind,
                width: .microseconds(10),
                limit: 4
            )
            recorder.set(7, at: .zero)
            recorder.set(9, at: Instant(nanoseconds: 1_000_000_000))
            let series = recorder.finished(at: Instant(nanoseconds: 1_500_000_000))
            #expect(series.values.count <= 4)
            #expect(series.values.first == 7 && series.values.last! >= 7)
            #expect(series.values.max()! <= 9)
        }
    }

    @Test func anEmptySeriesIsEmpty() {
        let recorder = SeriesRecorder(name: "goodput", unit: "bit/s", kind: .rate)
        #expect(recorder.finished(at: .zero).values.isEmpty)
        #expect(recorder.finished(at: Instant(nanoseconds: 2_500_000)).values == [0, 0, 0])
    }
}

/// Goal: histograms keep counts, extremes and sums exactly and quantiles within their precision.
/// Method: values over nine decades against the sorted list, merging, and contradictory parts.
@Suite struct LogHistogramTests {
    private func values() -> [Double] {
        var word: UInt64 = 88_172_645_463_325_252
        return (0..<20_000).map { _ in
            word ^= word << 13
            word ^= word >> 7
            word ^= word << 17
            return Double(word % 1_000_000_007) / 1e3
        }
    }

    @Test func quantilesAreWithinOnePercent() throws {
        let values = values()
        var histogram = LogHistogram()
        for value in values { histogram.record(value) }
        let sorted = values.sorted()
        for share in [0.001, 0.1, 0.5, 0.9, 0.99, 0.999] {
            let exact = sorted[Int((share * Double(sorted.count)).rounded(.up)) - 1]
            let found = try #require(histogram.quantile(share))
            #expect(found >= exact && found <= exact * 1.008)
        }
        #expect(histogram.quantile(0) == histogram.buckets[0].upperEdge)
        #expect(histogram.quantile(1) == sorted.last)
        #expect(histogram.minimum == sorted.first && histogram.count == 20_000)
        #expect(histogram.counts.count < 6_000)
    }

    @Test func mergingEqualsRecordingTogether() {
        let values = values()
        var whole = LogHistogram()
        var parts = [LogHistogram(), LogHistogram()]
        for (index, value) in values.enumerated() {
            whole.record(value)
            parts[index % 2].record(value)
        }
        parts[0].merge(parts[1])
        parts[0].merge(LogHistogram())
        #expect(parts[0].counts == whole.counts && parts[0].firstIndex == whole.firstIndex)
        #expect(parts[0].count == whole.count && parts[0].maximum == whole.maximum)
        #expect(abs(parts[0].sum / whole.sum - 1) < 1e-12)
    }

    @Test func contradictoryPartsAreRefused() {
        #expect(LogHistogram().quantile(0.5) == nil)
        #expect(
            LogHistogram(firstIndex: .max, counts: [1], sum: 1, minimum: 1, maximum: 1) == nil
        )
        #expect(
            LogHistogram(firstIndex: 0, counts: [.max, 1], sum: 1, minimum: 1, maximum: 1) == nil
        )
        #expect(LogHistogram(firstIndex: 0, counts: [1], sum: 1, minimum: 2, maximum: 1) == nil)
    }
}

/// Goal: figures print with the digits that matter, and units convert without a rounding surprise.
/// Method: known texts and thresholds.
@Suite struct FormattingTests {
    @Test(arguments: [
        (MetricUnit.percent, 93.1234, 0.45, "93.1 %"), (.factor, 2.6123, 0.055, "2.61x"),
        (.milliseconds, 470.4, 45, "470 ms"),
        (.bitsPerSecond, 187_400_000, 400_000, "187.4 Mbit/s"),
        (.bitsPerSecond, 999, 1, "999 bit/s"), (.count, 3, 0.5, "3.0"),
        (.seconds, 0.004_2, 0.000_05, "0.00420 s"),
    ])
    func textShowsTheResolution(unit: MetricUnit, value: Double, half: Double, text: String) {
        #expect(unit.text(value, resolution: half) == text)
    }

    @Test func textWithoutResolutionHasFourDigits() {
        #expect(MetricUnit.factor.text(14.2) == "14.20x")
        #expect(MetricUnit.percent.text(100) == "100.0 %")
        #expect(MetricUnit.seconds.text(0) == "0 s")
        #expect(Decimals.text(-0.04, places: 1) == "0.0")
        #expect(Decimals.text(-.infinity, places: 1) == "−∞")
        #expect(Decimals.text(2.5, places: 0) == "3")
    }

    @Test func conversionIsExactWhereItCanBe() {
        #expect(MetricUnit.milliseconds.value(fromBase: 0.5) == 500)
        #expect(MetricUnit.percent.value(fromBase: 0.9) == 90)
        #expect(MetricUnit.megabytesPerSecond.value(fromBase: 50e6) == 50)
        #expect(MetricUnit.secondsPerGigabyte.value(fromBase: 1.5) == 1.5)
        for unit in MetricUnit.allCases {
            #expect(unit.base(from: unit.value(fromBase: 3)) == 3)
        }
    }
}

/// Goal: the catalogue is complete enough to print and judge every metric, and records survive
/// coding.
/// Method: every definition is looked at; a full record goes through JSON.
@Suite struct CatalogueTests {
    @Test func everyDefinitionSaysWhatItMeans() {
        for definition in MetricCatalogue.standard.definitions {
            #expect(!definition.definition.isEmpty && !definition.boundDescription.isEmpty)
            #expect(!definition.environments.isEmpty)
            #expect(!definition.requiresBound || definition.boundSide != nil)
        }
        #expect(MetricCatalogue.standard.gateableNames.contains("utilisation"))
        #expect(!MetricCatalogue.standard.gateableNames.contains("peak-memory"))
        #expect(MetricCatalogue.standard["makespan"] == nil)
    }

    @Test func boundsForgiveRoundingOnly() {
        let bound = PhysicalBound(.upper, 100, derivation: "")
        #expect(bound.admits(100 + 1e-8) && !bound.admits(100.001) && !bound.admits(.nan))
        let lower = PhysicalBound(.lower, 20, derivation: "")
        #expect(lower.admits(20 - 1e-9) && !lower.admits(19.99) && !lower.admits(.infinity))
    }

    @Test func recordsSurviveCoding() throws {
        let record = Samples.record(seed: 7)
        let data = try JSONEncoder().encode(record)
        #expect(try JSONDecoder().decode(RunRecord.self, from: data) == record)
        #expect(record.value(of: "downtime")?.value == 20)
        #expect(record.fact("profile") == "lab-vm")
        #expect(record.spans[1]["attempt"] == 2 && record.spans[1].duration == .milliseconds(30))
        #expect(record.markers[0].text == "database.migrate" && record.markers[0]["survived"] == 1)
    }

    /// A record from before spans and texts of markers existed.
    @Test func olderRecordsDecode() throws {
        var expected = Samples.record(seed: 7)
        let data = try JSONEncoder().encode(expected)
        var object = try #require(
            try JSONSerialization.jsonObject(with: data) as? [String: Any]
        )
        object["spans"] = nil
        var markers = try #require(object["markers"] as? [[String: Any]])
        for index in markers.indices { markers[index]["text"] = nil }
        object["markers"] = markers
        let older = try JSONSerialization.data(withJSONObject: object)
        expected.spans = []
        expected.markers = expected.markers.map {
            Marker(time: $0.time, node: $0.node, kind: $0.kind, fields: $0.fields)
        }
        #expect(try JSONDecoder().decode(RunRecord.self, from: older) == expected)
    }
}

enum Samples {
    static func record(seed: UInt64) -> RunRecord {
        var histogram = LogHistogram()
        histogram.record(3)
        return RunRecord(
            key: RunKey(
                scenario: "study",
                scenarioDigest: "d1",
                variant: "dwcp",
                seed: seed,
                environment: .simulated
            ),
            commit: "abc",
            fingerprint: "00000000000000000000000000000001",
            metrics: [
                MetricValue("downtime", samples: [10, 30], bound: nil),
                MetricValue("request-latency", distribution: histogram, bound: nil),
            ],
            markers: [
                Marker(
                    time: Instant(nanoseconds: 50_000_000),
                    node: "node 0",
                    kind: Marker.crashPoint,
                    text: "database.migrate",
                    fields: [Field(Marker.survivedField, 1)]
                )
            ],
            spans: [attempt(1, .failed, from: 0, to: 10), attempt(2, .ready, from: 20, to: 50)],
            facts: [Fact("profile", "lab-vm")]
        )
    }

    private static func attempt(
        _ number: Double,
        _ outcome: Span.Outcome,
        from start: Int64,
        to end: Int64
    ) -> Span {
        Span(
            lane: "node 0",
            name: "cache",
            group: "core",
            start: Instant(nanoseconds: start * 1_000_000),
            end: Instant(nanoseconds: end * 1_000_000),
            outcome: outcome,
            isCritical: true,
            fields: [Field(Span.attemptField, number)]
        )
    }
}
