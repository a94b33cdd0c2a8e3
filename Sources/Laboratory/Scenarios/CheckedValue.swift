import Units

/// A part of a document that fits its shape, with defaults filled in; what did not fit has been
/// reported and is `invalid`.
struct CheckedValue {
    var location: SourceLocation
    var path: String
    /// False for a default.
    var isWritten: Bool
    var content: Content

    indirect enum Content {
        case scalar(ScalarValue)
        case list([CheckedValue])
        case record(CheckedRecord)
        /// In file order.
        case dictionary([(name: String, location: SourceLocation, value: CheckedValue)])
        case patch(DocumentNode)
        case invalid
    }

    var list: [CheckedValue] {
        guard case .list(let elements) = content else { return [] }
        return elements
    }

    var dictionary: [(name: String, location: SourceLocation, value: CheckedValue)] {
        guard case .dictionary(let entries) = content else { return [] }
        return entries
    }

    /// The record, or an empty one where the file has an error.
    var record: CheckedRecord {
        guard case .record(let record) = content else {
            return CheckedRecord(
                location: location,
                path: path,
                word: nil,
                values: [:],
                isValid: false
            )
        }
        return record
    }

    var text: String? {
        guard case .scalar(.text(let text)) = content else { return nil }
        return text
    }
}

/// The fields of a checked record. Where the file has an error a neutral value is given instead,
/// which never leaves the checker because a file with errors gives no scenario.
struct CheckedRecord {
    var location: SourceLocation
    var path: String
    /// The word of a tagged record.
    var word: String?
    var values: [String: CheckedValue]
    /// False when the record itself could not be read.
    var isValid: Bool

    /// The value under a key, unless it is absent or invalid.
    subscript(key: String) -> CheckedValue? {
        guard let value = values[key] else { return nil }
        if case .invalid = value.content { return nil }
        return value
    }

    /// Whether the file has the key, valid or not.
    func has(_ key: String) -> Bool { values[key] != nil }

    private func scalar(_ key: String) -> ScalarValue? {
        guard case .scalar(let value) = self[key]?.content else { return nil }
        return value
    }

    func interval(_ key: String) -> Interval { optionalInterval(key) ?? .zero }

    /// `nil` for `auto` and for an absent value.
    func optionalInterval(_ key: String) -> Interval? {
        guard case .interval(let interval) = scalar(key) else { return nil }
        return interval
    }

    func span(_ key: String) -> ClosedRange<Interval>? {
        guard case .span(let span) = scalar(key) else { return nil }
        return span
    }

    func rate(_ key: String) -> BitRate { optionalRate(key) ?? .megabits(1) }

    func optionalRate(_ key: String) -> BitRate? {
        guard case .rate(let rate) = scalar(key) else { return nil }
        return rate
    }

    func size(_ key: String) -> ByteCount { optionalSize(key) ?? .zero }

    /// `nil` for `auto` and for an absent value.
    func optionalSize(_ key: String) -> ByteCount? {
        guard case .size(let size) = scalar(key) else { return nil }
        return size
    }

    func share(_ key: String) -> Ratio {
        guard case .share(let share) = scalar(key) else { return .zero }
        return share
    }

    func queueLimit(_ key: String) -> Scenario.QueueLimit {
        guard case .queueLimit(let limit) = scalar(key) else { return .bandwidthDelayProducts(1) }
        return limit
    }

    func integer(_ key: String) -> Int { optionalInteger(key) ?? 0 }

    /// `nil` for `auto` and for an absent value.
    func optionalInteger(_ key: String) -> Int? {
        guard case .integer(let value) = scalar(key) else { return nil }
        return Int(value)
    }

    func number(_ key: String) -> Double {
        guard case .number(let value) = scalar(key) else { return 1 }
        return value
    }

    func integers(_ key: String) -> ClosedRange<Int>? {
        guard case .integers(let range) = scalar(key) else { return nil }
        return Int(range.lowerBound)...Int(range.upperBound)
    }

    func factors(_ key: String) -> ClosedRange<Double> {
        guard case .factors(let range) = scalar(key) else { return 1...1 }
        return range
    }

    func shares(_ key: String) -> ClosedRange<Ratio>? {
        guard case .shares(let range) = scalar(key) else { return nil }
        return range
    }

    func seed(_ key: String) -> UInt64 {
        guard case .seed(let value) = scalar(key) else { return 0 }
        return value
    }

    func text(_ key: String) -> String? { self[key]?.text }

    func flag(_ key: String) -> Bool {
        guard case .flag(let value) = scalar(key) else { return false }
        return value
    }

    func pick(_ key: String) -> FaultRule.Pick? {
        guard case .pick(let value) = scalar(key) else { return nil }
        return value
    }

    func list(_ key: String) -> [CheckedValue] { self[key]?.list ?? [] }

    func record(_ key: String) -> CheckedRecord {
        self[key]?.record
            ?? CheckedRecord(location: location, path: path, word: nil, values: [:], isValid: false)
    }
}
