public import Units

/// A quantity over the time of one run, in buckets of equal width.
public struct Series: Equatable, Sendable, Codable {
    /// For example `goodput` or `queue`.
    public let name: String
    /// The unit of the values, as printed on an axis.
    public let unit: String
    /// Sorted by key.
    public let labels: [Label]
    public let kind: Kind
    /// When the first bucket begins.
    public let start: Instant
    /// The width of every bucket; the last may be covered only in part.
    public let width: Interval
    /// One value a bucket, at most ``bucketLimit``.
    public let values: [Double]

    /// What a bucket's value means.
    public enum Kind: String, Hashable, Sendable, Codable {
        /// The amount that fell into the bucket, per second.
        case rate
        /// The time-weighted mean of a level that holds until it changes.
        case level
        /// The highest that such a level was.
        case peak
    }

    /// A run keeps no more buckets of a series than this; the buckets widen instead.
    public static let bucketLimit = 2_000

    public init(
        name: String,
        unit: String,
        labels: [Label],
        kind: Kind,
        start: Instant,
        width: Interval,
        values: [Double]
    ) {
        precondition(width > .zero, "series \(name) has buckets of width \(width)")
        precondition(
            values.count <= Series.bucketLimit,
            "series \(name) has \(values.count) buckets"
        )
        self.name = name
        self.unit = unit
        self.labels = labels.sorted { $0.key < $1.key }
        self.kind = kind
        self.start = start
        self.width = width
        self.values = values
    }

    /// The middle of each bucket in seconds, and its value.
    public var points: [(seconds: Double, value: Double)] {
        let step = width.seconds
        return values.indices.map { (start.seconds + (Double($0) + 0.5) * step, values[$0]) }
    }
}

/// Records one series during a run in bounded memory: whenever the buckets run out, neighbours merge
/// in pairs and the width doubles.
///
/// Times must not decrease. Recording costs no allocation once the buckets exist.
public struct SeriesRecorder: Sendable {
    public let name: String
    public let unit: String
    public let labels: [Label]
    public let kind: Series.Kind
    public private(set) var width: Interval

    private let start: Instant
    private let limit: Int
    /// For a rate the amount, for a level its integral in value-seconds, for a peak the maximum.
    private var buckets: [Double] = []
    private var level: Double = 0
    /// Up to where the held level has been accounted for.
    private var accounted: Instant

    /// - Parameters:
    ///   - width: The width to begin with; it doubles as often as needed.
    ///   - limit: The most buckets kept; at least two, at most ``Series/bucketLimit``.
    public init(
        name: String,
        unit: String,
        labels: [Label] = [],
        kind: Series.Kind,
        start: Instant = .zero,
        width: Interval = .milliseconds(1),
        limit: Int = Series.bucketLimit
    ) {
        precondition(width > .zero, "series \(name) cannot have buckets of width \(width)")
        precondition(
            limit >= 2 && limit <= Series.bucketLimit,
            "series \(name) cannot keep \(limit) buckets"
        )
        self.name = name
        self.unit = unit
        self.labels = labels
        self.kind = kind
        self.start = start
        self.width = width
        self.limit = limit
        accounted = start
        buckets.reserveCapacity(limit)
    }

    /// A rate gains `amount` at `time`. Traps for the other kinds.
    public mutating func add(_ amount: Double, at time: Instant) {
        precondition(kind == .rate, "series \(name) is a \(kind), it cannot add")
        let index = bucket(for: time)
        buckets[index] += amount
        accounted = max(accounted, time)
    }

    /// A level or peak becomes `value` at `time` and holds. Traps for a rate.
    public mutating func set(_ value: Double, at time: Instant) {
        precondition(kind != .rate, "series \(name) is a rate, it cannot hold a level")
        hold(until: time)
        level = value
        if kind == .peak {
            let index = bucket(for: time)
            buckets[index] = max(buckets[index], value)
        }
    }

    /// The series up to `end`; the last bucket's mean covers only the part before `end`.
    public func finished(at end: Instant) -> Series {
        var copy = self
        if kind == .rate {
            if end > start { _ = copy.bucket(for: Instant(nanoseconds: end.nanoseconds - 1)) }
        } else {
            copy.hold(until: max(end, accounted))
        }
        return Series(
            name: name,
            unit: unit,
            labels: labels,
            kind: kind,
            start: start,
            width: copy.width,
            values: copy.values(until: max(end, accounted))
        )
    }

    private func values(until end: Instant) -> [Double] {
        guard kind != .peak else { return buckets }
        return buckets.indices.map { index in
            let begin = start + width * Int64(index)
            let covered = min(width, max(end - begin, .zero))
            // An event exactly at the end opens a bucket that no time has covered yet.
            guard covered > .zero else {
                return kind == .rate ? buckets[index] / width.seconds : level
            }
            return buckets[index] / covered.seconds
        }
    }

    /// Books the held level from `accounted` to `time`.
    private mutating func hold(until time: Instant) {
        precondition(time >= accounted, "series \(name) went back from \(accounted) to \(time)")
        guard time > accounted else { return }
        _ = bucket(for: Instant(nanoseconds: time.nanoseconds - 1))
        while accounted < time {
            let index = Int((accounted - start).nanoseconds / width.nanoseconds)
            let edge = start + width * Int64(index + 1)
            let until = min(edge, time)
            switch kind {
            case .rate: break
            case .level: buckets[index] += level * (until - accounted).seconds
            case .peak: buckets[index] = max(buckets[index], level)
            }
            accounted = until
        }
    }

    /// The bucket of `time`, after widening as often as it takes to have one.
    private mutating func bucket(for time: Instant) -> Int {
        precondition(time >= start, "series \(name) begins at \(start), not at \(time)")
        var index = (time - start).nanoseconds / width.nanoseconds
        while index >= Int64(limit) {
            widen()
            index = (time - start).nanoseconds / width.nanoseconds
        }
        while buckets.count <= Int(index) {
            buckets.append(0)
        }
        return Int(index)
    }

    private mutating func widen() {
        let merged = (buckets.count + 1) / 2
        for index in 0..<merged {
            let first = buckets[2 * index]
            let second = 2 * index + 1 < buckets.count ? buckets[2 * index + 1] : 0
            buckets[index] = kind == .peak ? max(first, second) : first + second
        }
        buckets.removeLast(buckets.count - merged)
        width = width * 2
    }
}
