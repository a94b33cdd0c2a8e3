import Foundation
import Measurements

/// The outcome of a run as two columns.
enum ArchivedOutcome {
    static func columns(of outcome: RunOutcome) -> (word: String, message: String?) {
        switch outcome {
        case .completed: ("completed", nil)
        case .truncated(let reason): ("truncated", reason)
        case .failed(let message): ("failed", message)
        case .safetyViolation(let message): ("safety-violation", message)
        case .livenessViolation(let message): ("liveness-violation", message)
        case .interrupted: preconditionFailure("an interrupted run is not archived")
        }
    }

    /// `nil` for a word the schema does not allow.
    static func outcome(word: String, message: String?) -> RunOutcome? {
        switch (word, message) {
        case ("completed", _): .completed
        case ("truncated", let message?): .truncated(reason: message)
        case ("failed", let message?): .failed(message: message)
        case ("safety-violation", let message?): .safetyViolation(message: message)
        case ("liveness-violation", let message?): .livenessViolation(message: message)
        default: nil
        }
    }
}

/// The values of a schema column as JSON text, which SQL can look into.
enum ArchivedText {
    /// An object with sorted keys.
    static func labels(_ labels: [Label]) -> String {
        encoded(Dictionary(labels.map { ($0.key, $0.value) }) { first, _ in first })
    }

    static func labels(from text: String) -> [Label]? {
        decoded([String: String].self, text)?
            .map { Label($0.key, $0.value) }
            .sorted { $0.key < $1.key }
    }

    static func encoded(_ value: some Encodable) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.nonConformingFloatEncodingStrategy = .convertToString(
            positiveInfinity: "Infinity",
            negativeInfinity: "-Infinity",
            nan: "NaN"
        )
        guard let data = try? encoder.encode(value) else {
            preconditionFailure("\(type(of: value)) has no JSON form")
        }
        return String(decoding: data, as: UTF8.self)
    }

    static func decoded<Value: Decodable>(_ type: Value.Type, _ text: String) -> Value? {
        let decoder = JSONDecoder()
        decoder.nonConformingFloatDecodingStrategy = .convertFromString(
            positiveInfinity: "Infinity",
            negativeInfinity: "-Infinity",
            nan: "NaN"
        )
        return try? decoder.decode(type, from: Data(text.utf8))
    }
}

/// What a histogram keeps beside its counts.
struct ArchivedDistribution: Codable {
    let firstIndex: UInt64
    let buckets: Int
    let sum: Double
    let minimum: Double
    let maximum: Double

    init(_ histogram: LogHistogram) {
        firstIndex = histogram.firstIndex
        buckets = histogram.counts.count
        sum = histogram.sum
        minimum = histogram.minimum
        maximum = histogram.maximum
    }

    /// `nil` when text and blob contradict each other.
    static func histogram(_ text: String, _ counts: [UInt8]) -> LogHistogram? {
        guard let kept = ArchivedText.decoded(ArchivedDistribution.self, text),
            let words = PackedColumn.unpack(counts, count: kept.buckets)
        else { return nil }
        return LogHistogram(
            firstIndex: kept.firstIndex,
            counts: words,
            sum: kept.sum,
            minimum: kept.minimum,
            maximum: kept.maximum
        )
    }
}

/// The samples of a figure as columns: few of them as a JSON array that SQL can read, many of them
/// packed, a distribution as its histogram.
struct ArchivedSamples {
    let text: String?
    let packed: Data?
    let distribution: String?

    /// Up to this many samples stay readable by SQL.
    static let readableLimit = 1_000

    init(_ samples: MetricValue.Samples) {
        switch samples {
        case .single:
            (text, packed, distribution) = (nil, nil, nil)
        case .all(let values)
        where values.count <= ArchivedSamples.readableLimit
            && values.allSatisfy(\.isFinite):
            // Swift prints the shortest text that reads back as the same double.
            text = "[" + values.map { "\($0)" }.joined(separator: ",") + "]"
            (packed, distribution) = (nil, nil)
        case .all(let values):
            packed = Data(PackedColumn.pack(values))
            (text, distribution) = (nil, nil)
        case .distribution(let histogram):
            packed = Data(PackedColumn.pack(histogram.counts))
            distribution = ArchivedText.encoded(ArchivedDistribution(histogram))
            text = nil
        }
    }

    init(text: String?, packed: Data?, distribution: String?) {
        self.text = text
        self.packed = packed
        self.distribution = distribution
    }

    /// `nil` when the columns contradict each other.
    func samples(count: Int) -> MetricValue.Samples? {
        switch (text, packed, distribution) {
        case (nil, nil, nil):
            return count == 1 ? .single : nil
        case (let text?, nil, nil):
            guard let values = ArchivedText.decoded([Double].self, text), values.count == count
            else { return nil }
            return .all(values)
        case (nil, let packed?, nil):
            return PackedColumn.unpackDoubles([UInt8](packed), count: count).map { .all($0) }
        case (nil, let packed?, let distribution?):
            return ArchivedDistribution.histogram(distribution, [UInt8](packed))
                .map { .distribution($0) }
        default:
            return nil
        }
    }
}
