import Metrics
import Synchronization

/// One time series: a value that components change and the registry reads.
protocol MetricSeries: AnyObject, Sendable {
    var samples: [MetricSample] { get }
}

/// One line of the text.
struct MetricSample {
    /// After the family's name.
    var suffix = ""
    /// After the series' labels.
    var label: MetricFamily.Label?
    var value: String
}

/// Only goes up; what would take it down, or past the largest number, is ignored.
final class CounterSeries: MetricSeries, CounterHandler, FloatingPointCounterHandler {
    private let value = Mutex<(whole: Int64, fraction: Double)>((0, 0))

    func increment(by amount: Int64) {
        guard amount > 0 else { return }
        value.withLock { value in
            let (sum, overflow) = value.whole.addingReportingOverflow(amount)
            value.whole = overflow ? .max : sum
        }
    }

    func increment(by amount: Double) {
        guard amount > 0, amount.isFinite else { return }
        value.withLock { $0.fraction += amount }
    }

    func reset() { value.withLock { $0 = (0, 0) } }

    var samples: [MetricSample] {
        let (whole, fraction) = value.withLock { $0 }
        let text =
            fraction == 0 ? String(whole) : MetricFamily.number(Double(whole) + fraction)
        return [MetricSample(value: text)]
    }
}

final class GaugeSeries: MetricSeries, MeterHandler, RecorderHandler {
    private let value = Mutex(0.0)

    func set(_ new: Int64) { value.withLock { $0 = Double(new) } }
    func set(_ new: Double) { value.withLock { $0 = new } }
    func increment(by amount: Double) { value.withLock { $0 += amount } }
    func decrement(by amount: Double) { value.withLock { $0 -= amount } }
    func record(_ new: Int64) { set(new) }
    func record(_ new: Double) { set(new) }

    var samples: [MetricSample] {
        [MetricSample(value: MetricFamily.number(value.withLock { $0 }))]
    }
}

/// Counts values by size. Values that are no numbers are ignored.
final class HistogramSeries: MetricSeries, TimerHandler, RecorderHandler {
    private let bounds: [Double]
    private let state: Mutex<State>

    private struct State {
        /// One for each bound, and one for what is larger.
        var counts: [UInt64]
        var sum = 0.0
    }

    init(bounds: [Double]) {
        self.bounds = bounds
        state = Mutex(State(counts: Array(repeating: 0, count: bounds.count + 1)))
    }

    func recordNanoseconds(_ duration: Int64) { record(Double(duration) / 1e9) }
    func record(_ value: Int64) { record(Double(value)) }

    func record(_ value: Double) {
        guard !value.isNaN else { return }
        let bucket = bounds.firstIndex { value <= $0 } ?? bounds.count
        state.withLock { state in
            state.counts[bucket] += 1
            state.sum += value
        }
    }

    var samples: [MetricSample] {
        let (counts, sum) = state.withLock { ($0.counts, $0.sum) }
        var samples: [MetricSample] = []
        var total: UInt64 = 0
        for (bucket, count) in counts.enumerated() {
            total += count
            let bound = bucket < bounds.count ? bounds[bucket] : .infinity
            samples.append(
                MetricSample(
                    suffix: "_bucket",
                    label: MetricFamily.Label(name: "le", value: MetricFamily.number(bound)),
                    value: String(total)
                )
            )
        }
        samples.append(MetricSample(suffix: "_sum", value: MetricFamily.number(sum)))
        samples.append(MetricSample(suffix: "_count", value: String(total)))
        return samples
    }
}
