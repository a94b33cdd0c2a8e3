import Units

/// What may stand at one place of a file. The tables made of shapes are the only list of keys: the
/// checker and the JSON Schema both follow them.
indirect enum Shape: Sendable {
    case scalar(ScalarKind)
    case list(Shape, minimum: Int)
    case record(RecordShape)
    /// Names chosen by the author, each with a value.
    case dictionary(Shape, minimum: Int)
    case tagged(TaggedShape)
    /// A partial record that is merged onto another one before it is checked.
    case patch(RecordShape)
}

/// A mapping with fixed keys.
struct RecordShape: Sendable {
    /// For messages and the schema, for example `link`.
    var title: String
    var fields: [Field]
}

/// One key of a record.
struct Field: Sendable {
    var key: String
    var shape: Shape
    var presence: Presence
    /// One sentence for the schema.
    var documentation: String

    enum Presence: Hashable, Sendable {
        case required
        /// May be left out, and then there is no value.
        case optional
        /// May be left out, and then means this text.
        case text(String)
        /// May be left out, and then means an empty list or a mapping without keys.
        case empty
    }

    init(_ key: String, _ shape: Shape, _ presence: Presence, _ documentation: String) {
        self.key = key
        self.shape = shape
        self.presence = presence
        self.documentation = documentation
    }

    init(_ key: String, _ kind: ScalarKind, _ presence: Presence, _ documentation: String) {
        self.init(key, .scalar(kind), presence, documentation)
    }
}

/// A mapping whose other keys depend on the word under one of them. The word alone stands for the
/// mapping that has nothing else.
struct TaggedShape: Sendable {
    /// For messages and the schema, for example `loss model`.
    var title: String
    /// The key that holds the word.
    var tag: String
    var cases: [Case]
    /// The key for which a scalar stands, where it is not the word.
    var scalarKey: String?
    /// Words that follow from a key, where the word is not there.
    var impliedWords: [String: String] = [:]

    struct Case: Sendable {
        var word: String
        var documentation: String
        var fields: [Field]
        /// Why the word is refused although the language knows it.
        var unsupported: String?

        init(
            _ word: String,
            _ documentation: String,
            _ fields: [Field] = [],
            unsupported: String? = nil
        ) {
            self.word = word
            self.documentation = documentation
            self.fields = fields
            self.unsupported = unsupported
        }
    }

    var words: [String] { cases.map(\.word) }
}

/// What text a scalar may be.
enum ScalarKind: Sendable {
    /// Zero is allowed only on request.
    case duration(allowsZero: Bool)
    /// A duration or a range of durations.
    case span(allowsZero: Bool)
    /// `auto` or a duration.
    case automaticDuration
    case rate
    /// Events a second.
    case frequency
    case size(ClosedRange<Int64>)
    /// `auto` or a size.
    case automaticSize(ClosedRange<Int64>)
    case share(ShareRange)
    case queueLimit
    case integer(ClosedRange<Int64>)
    /// A number without a unit, above the bound or, on request, at it.
    case number(above: Double, orEqual: Bool)
    /// A whole number or a range of them, such as `1..3`.
    case integers(ClosedRange<Int64>)
    /// A positive number or a range of them, such as `0.5..2`.
    case factors
    /// A share or a range of shares, such as `0..1 %`; below 100 %.
    case shares
    /// `auto` or 1...256.
    case streams
    /// Decimal, or hexadecimal after `0x`; 64 bits.
    case seed
    /// A word of letters, digits, `.`, `_` and `-`.
    case name
    /// Up to 200 characters on one line.
    case text
    case choice([Choice])
    case flag
    /// `one`, `all`, a number or a share.
    case pick
    /// A target's statistic, operator and threshold.
    case expectation

    struct Choice: Sendable {
        var word: String
        /// Why the word is refused although the language knows it.
        var unsupported: String?

        init(_ word: String, unsupported: String? = nil) {
            self.word = word
            self.unsupported = unsupported
        }
    }

    enum ShareRange: String, Sendable {
        /// 0 to 100 %, both included.
        case closed
        /// At least 0 and below 100 %.
        case belowOne
        /// Above 0 and below 100 %.
        case open
        /// Above 0, up to 100 %.
        case positive
    }

    static func words(_ words: [String]) -> ScalarKind { .choice(words.map { Choice($0) }) }
}

/// What a scalar was read as.
enum ScalarValue: Hashable, Sendable {
    case interval(Interval)
    case span(ClosedRange<Interval>)
    case automatic
    case rate(BitRate)
    case size(ByteCount)
    case share(Ratio)
    case queueLimit(Scenario.QueueLimit)
    case integer(Int64)
    case integers(ClosedRange<Int64>)
    case number(Double)
    case factors(ClosedRange<Double>)
    case shares(ClosedRange<Ratio>)
    case seed(UInt64)
    case text(String)
    case flag(Bool)
    case pick(FaultRule.Pick)
}
