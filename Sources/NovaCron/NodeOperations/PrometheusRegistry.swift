public import Metrics
import Synchronization

/// Collects the metrics of one process and writes them as Prometheus text.
///
/// The back end of swift-metrics: counters, meters and plain recorders become counters and gauges,
/// aggregating recorders and timers (in seconds) become histograms. Equal names and labels are one
/// series. Names and labels that Prometheus does not allow are changed, invalid characters to `_`.
///
/// Bounds: `familyLimit` names and `seriesLimit` label sets in each. What is beyond them, or uses
/// one name as two kinds, is not kept and counted in `metrics_dropped_series_total`.
/// Format: Prometheus exposition formats, "Text-based format", version 0.0.4; families and series
/// are sorted, so equal values give equal text.
public final class PrometheusRegistry: MetricsFactory, Sendable {
    /// The content type that goes with `text`.
    public static let contentType = "text/plain; version=0.0.4; charset=utf-8"
    /// Bounds of a histogram's buckets unless described otherwise: seconds, from 1 ms to a minute.
    public static let standardBuckets = [
        0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
    ]

    private let familyLimit: Int
    private let seriesLimit: Int
    private let state = Mutex(State())

    private struct State {
        var families: [String: MetricFamily] = [:]
        var descriptions: [String: Description] = [:]
        /// Names of samples that a histogram takes beside its own, by the histogram's name.
        var reserved: [String: String] = [:]
        var dropped: Int64 = 0
    }

    private struct Description {
        var help: String
        var buckets: [Double]
    }

    public init(familyLimit: Int = 500, seriesLimit: Int = 200) {
        precondition(familyLimit >= 1 && seriesLimit >= 1, "a registry without room")
        self.familyLimit = familyLimit
        self.seriesLimit = seriesLimit
    }

    /// Says what a metric means, and the upper bounds of its buckets if it becomes a histogram; for
    /// series made later.
    public func describe(
        _ name: String,
        _ help: String,
        buckets: [Double] = PrometheusRegistry.standardBuckets
    ) {
        precondition(
            buckets.allSatisfy(\.isFinite) && zip(buckets, buckets.dropFirst()).allSatisfy(<),
            "the bounds \(buckets) do not rise"
        )
        let name = MetricFamily.validName(name)
        state.withLock { state in
            state.descriptions[name] = Description(help: help, buckets: buckets)
            state.families[name]?.help = help
        }
    }

    // MARK: - MetricsFactory

    public func makeCounter(
        label: String,
        dimensions: [(String, String)]
    ) -> any CounterHandler {
        series(label, dimensions, .counter) { _ in CounterSeries() }
    }

    public func makeFloatingPointCounter(
        label: String,
        dimensions: [(String, String)]
    ) -> any FloatingPointCounterHandler {
        series(label, dimensions, .counter) { _ in CounterSeries() }
    }

    public func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        series(label, dimensions, .gauge) { _ in GaugeSeries() }
    }

    public func makeRecorder(
        label: String,
        dimensions: [(String, String)],
        aggregate: Bool
    ) -> any RecorderHandler {
        guard aggregate else { return series(label, dimensions, .gauge) { _ in GaugeSeries() } }
        return series(label, dimensions, .histogram) { HistogramSeries(bounds: $0) }
    }

    public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        series(label, dimensions, .histogram) { HistogramSeries(bounds: $0) }
    }

    public func destroyCounter(_ handler: any CounterHandler) { remove(handler) }
    public func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) {
        remove(handler)
    }
    public func destroyMeter(_ handler: any MeterHandler) { remove(handler) }
    public func destroyRecorder(_ handler: any RecorderHandler) { remove(handler) }
    public func destroyTimer(_ handler: any TimerHandler) { remove(handler) }

    // MARK: - Series

    /// The series of that name and labels; one that is not kept when there is no room for it.
    private func series<Series: MetricSeries>(
        _ label: String,
        _ dimensions: [(String, String)],
        _ kind: MetricFamily.Kind,
        _ make: ([Double]) -> Series
    ) -> Series {
        let name = MetricFamily.validName(label)
        let labels = MetricFamily.validLabels(dimensions)
        return state.withLock { state in
            let description = state.descriptions[name]
            let bounds = description?.buckets ?? PrometheusRegistry.standardBuckets
            guard
                let family = self.family(name, kind, help: description?.help, in: &state)
            else { return make(bounds) }
            if let known = state.families[name]?.series[labels] as? Series { return known }
            guard family.series.count < seriesLimit, family.series[labels] == nil else {
                state.dropped += 1
                return make(bounds)
            }
            let series = make(bounds)
            state.families[name]?.series[labels] = series
            return series
        }
    }

    private func family(
        _ name: String,
        _ kind: MetricFamily.Kind,
        help: String?,
        in state: inout State
    ) -> MetricFamily? {
        if let known = state.families[name] {
            if known.kind == kind { return known }
            state.dropped += 1
            return nil
        }
        let taken = kind == .histogram ? MetricFamily.histogramSuffixes.map { name + $0 } : []
        guard state.families.count < familyLimit, state.reserved[name] == nil,
            name != PrometheusRegistry.droppedName,
            taken.allSatisfy({ state.families[$0] == nil && state.reserved[$0] == nil })
        else {
            state.dropped += 1
            return nil
        }
        for sample in taken { state.reserved[sample] = name }
        let family = MetricFamily(kind: kind, help: help)
        state.families[name] = family
        return family
    }

    private func remove(_ handler: AnyObject) {
        state.withLock { state in
            for name in state.families.keys.sorted() {
                guard
                    let labels = state.families[name]?.series.first(where: { $0.value === handler })
                else { continue }
                state.families[name]?.series[labels.key] = nil
                return
            }
        }
    }

    // MARK: - Text

    private static let droppedName = "metrics_dropped_series_total"

    /// All series as they are now.
    public var text: String {
        let (families, dropped) = state.withLock { ($0.families, $0.dropped) }
        var text = ""
        for name in families.keys.sorted() {
            families[name]?.write(name, into: &text)
        }
        let own = CounterSeries()
        own.increment(by: dropped)
        var family = MetricFamily(
            kind: .counter,
            help: "Series that were not kept: too many, or one name for two kinds."
        )
        family.series = [[]: own]
        family.write(PrometheusRegistry.droppedName, into: &text)
        return text
    }
}
