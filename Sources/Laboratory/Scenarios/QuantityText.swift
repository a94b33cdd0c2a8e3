import Units

/// Quantities as people write them: a decimal number and a unit, `80 ms`, `0.1 %`, `64 GiB`.
///
/// The arithmetic is exact: the decimal digits are scaled as integers and rounded once, half away
/// from zero, to the unit that Core counts in.
enum QuantityText {
    /// A kind of quantity with its units, each as a multiple of what Core counts in.
    struct Kind: Sendable {
        /// For messages, for example `a duration`.
        var name: String
        /// For messages, for example `80 ms`.
        var example: String
        /// In the order in which messages list them.
        var units: [Unit]
        /// What people write instead of a unit, with what they mean by it.
        var misnomers: [(wrong: String, right: String)] = []

        struct Unit: Sendable {
            var name: String
            var scale: Int128
        }

        var expected: String { "\(name) such as \(example)" }
    }

    static let duration = Kind(
        name: "a duration",
        example: "80 ms",
        units: [
            Kind.Unit(name: "ns", scale: 1),
            Kind.Unit(name: "us", scale: 1_000),
            Kind.Unit(name: "ms", scale: 1_000_000),
            Kind.Unit(name: "s", scale: 1_000_000_000),
            Kind.Unit(name: "min", scale: 60_000_000_000),
            Kind.Unit(name: "h", scale: 3_600_000_000_000),
            Kind.Unit(name: "d", scale: 86_400_000_000_000),
        ],
        misnomers: [
            ("nsec", "ns"), ("usec", "us"), ("msec", "ms"), ("sec", "s"), ("second", "s"),
            ("seconds", "s"), ("m", "min"), ("minutes", "min"), ("hours", "h"), ("days", "d"),
        ]
    )

    /// Counted in millionths of an event a second.
    static let frequency = Kind(
        name: "a rate of events",
        example: "50 /s",
        units: [
            Kind.Unit(name: "/s", scale: 1_000_000),
            Kind.Unit(name: "req/s", scale: 1_000_000),
        ],
        misnomers: [("Hz", "/s"), ("rps", "/s"), ("ops/s", "/s")]
    )

    static let rate = Kind(
        name: "a rate",
        example: "200 Mbit/s",
        units: [
            Kind.Unit(name: "bit/s", scale: 1),
            Kind.Unit(name: "kbit/s", scale: 1_000),
            Kind.Unit(name: "Mbit/s", scale: 1_000_000),
            Kind.Unit(name: "Gbit/s", scale: 1_000_000_000),
            Kind.Unit(name: "B/s", scale: 8),
            Kind.Unit(name: "kB/s", scale: 8_000),
            Kind.Unit(name: "MB/s", scale: 8_000_000),
            Kind.Unit(name: "GB/s", scale: 8_000_000_000),
        ],
        // A lower-case b is a bit.
        misnomers: [
            ("bps", "bit/s"), ("kbps", "kbit/s"), ("Mbps", "Mbit/s"), ("Gbps", "Gbit/s"),
            ("kb/s", "kbit/s"), ("Mb/s", "Mbit/s"), ("Gb/s", "Gbit/s"),
        ]
    )

    static let size = Kind(
        name: "a size",
        example: "64 MiB",
        units: [
            Kind.Unit(name: "B", scale: 1),
            Kind.Unit(name: "KiB", scale: 1 << 10),
            Kind.Unit(name: "MiB", scale: 1 << 20),
            Kind.Unit(name: "GiB", scale: 1 << 30),
            Kind.Unit(name: "TiB", scale: 1 << 40),
            Kind.Unit(name: "kB", scale: 1_000),
            Kind.Unit(name: "MB", scale: 1_000_000),
            Kind.Unit(name: "GB", scale: 1_000_000_000),
            Kind.Unit(name: "TB", scale: 1_000_000_000_000),
        ]
    )

    /// The words that start a quantity, split from the rest.
    struct Split {
        var number: String
        var unit: String
    }

    /// The number and the unit of `text`, or `nil` when it does not start with a decimal number.
    static func split(_ text: String) -> Split? {
        let bytes = Array(text.utf8)
        var index = 0
        if index < bytes.count, bytes[index] == UInt8(ascii: "-") { index += 1 }
        let digits = index
        while index < bytes.count, isDigit(bytes[index]) { index += 1 }
        guard index > digits else { return nil }
        if index + 1 < bytes.count, bytes[index] == UInt8(ascii: "."), isDigit(bytes[index + 1]) {
            index += 1
            while index < bytes.count, isDigit(bytes[index]) { index += 1 }
        }
        return Split(
            number: String(decoding: bytes[..<index], as: UTF8.self),
            unit: String(decoding: bytes[index...], as: UTF8.self).trimmingSpaces()
        )
    }

    /// The value of `text` in Core's unit.
    static func value(of text: String, as kind: Kind) throws(ValueFailure) -> Int64 {
        guard let parts = split(text) else {
            throw ValueFailure(.badValue, "'\(shortened(text))' is not \(kind.name)", kind.expected)
        }
        return try value(of: parts, as: kind)
    }

    static func value(of parts: Split, as kind: Kind) throws(ValueFailure) -> Int64 {
        let unit = try unit(named: parts.unit, of: kind, after: parts.number)
        return try scaled(parts.number, by: unit.scale, as: kind)
    }

    /// `10 s`, or `10..20 s` with one unit for both ends, or a unit at each end.
    static func range(of text: String, as kind: Kind) throws(ValueFailure) -> ClosedRange<Int64> {
        guard let dots = text.firstRange(of: "..") else {
            let value = try value(of: text, as: kind)
            return value...value
        }
        let first = String(text[..<dots.lowerBound]).trimmingSpaces()
        let second = String(text[dots.upperBound...]).trimmingSpaces()
        guard var low = split(first), let high = split(second) else {
            throw ValueFailure(
                .badValue,
                "'\(shortened(text))' is not a range",
                "a range such as 10..20 s"
            )
        }
        if low.unit.isEmpty { low.unit = high.unit }
        let lower = try value(of: low, as: kind)
        let upper = try value(of: high, as: kind)
        guard lower <= upper else {
            throw ValueFailure(
                .outOfRange,
                "the range '\(shortened(text))' ends before it starts",
                "the smaller value first"
            )
        }
        return lower...upper
    }

    /// A decimal number without a unit.
    static func plainNumber(_ text: String) -> Double? {
        guard let parts = split(text), parts.unit.isEmpty else { return nil }
        return Double(parts.number)
    }

    static func frequencyText(_ perSecond: Double) -> String { "\(numberText(perSecond)) /s" }

    /// The text of a share that reads back as exactly this value.
    static func percentText(_ ratio: Ratio) -> String {
        let percent = ratio.value * 100
        for digits in 0...17 {
            let power = powerOfTen(digits)
            let candidate = (percent * power).rounded() / power
            if candidate / 100 == ratio.value { return "\(numberText(candidate)) %" }
        }
        return "\(numberText(percent)) %"
    }

    /// A number without a superfluous `.0` and without an exponent.
    static func numberText(_ value: Double) -> String {
        if value == value.rounded(), abs(value) < 1e15 { return "\(Int64(value))" }
        let text = "\(value)"
        guard let mark = text.firstIndex(of: "e"), let power = Int(text[text.index(after: mark)...])
        else { return text }
        let sign = value < 0 ? "-" : ""
        let parts = text[..<mark].drop { $0 == "-" }.split(separator: ".")
        let fraction = parts.count > 1 && parts[1] != "0" ? String(parts[1]) : ""
        if power < 0 {
            let zeros = String(repeating: "0", count: -power - 1)
            return "\(sign)0.\(zeros)\(parts[0])\(fraction)"
        }
        // Swift prints an exponent only from 2^53 on, where no digits follow the point.
        let zeros = String(repeating: "0", count: max(0, power - fraction.utf8.count))
        return "\(sign)\(parts[0])\(fraction)\(zeros)"
    }

    private static func unit(
        named name: String,
        of kind: Kind,
        after number: String
    ) throws(ValueFailure) -> Kind.Unit {
        // The micro sign and the Greek letter mean the same as `u`.
        let plain = name == "\u{b5}s" || name == "\u{3bc}s" ? "us" : name
        if let unit = kind.units.first(where: { $0.name == plain }) { return unit }
        let names = kind.units.map(\.name)
        guard !name.isEmpty else {
            throw ValueFailure(.badValue, "'\(shortened(number))' has no unit", kind.expected)
        }
        throw ValueFailure(
            .badValue,
            "unknown unit '\(shortened(name))'",
            "\(kind.name) in \(names.joined(separator: ", "))",
            suggestion: kind.misnomers.first { $0.wrong == name }?.right
                ?? NearestName.nearest(to: name, among: names)
        )
    }

    private static func scaled(
        _ number: String,
        by scale: Int128,
        as kind: Kind
    ) throws(ValueFailure) -> Int64 {
        let isNegative = number.hasPrefix("-")
        let parts = number.drop { $0 == "-" }.split(separator: ".", maxSplits: 1)
        let fraction = parts.count > 1 ? parts[1] : ""
        guard parts[0].utf8.count <= 18, fraction.utf8.count <= 18,
            let whole = Int128(parts[0]), let rest = Int128("0" + fraction)
        else { throw tooLarge(number, kind) }
        var power: Int128 = 1
        for _ in fraction.utf8 { power *= 10 }
        // At most 1e18 × 8.64e13 each, far below the 1.7e38 of the type.
        let value = whole * scale + (rest * scale * 2 + power) / (power * 2)
        // A sum of a few quantities must not overflow either.
        guard value <= Int128(Int64.max) / 8 else { throw tooLarge(number, kind) }
        return Int64(isNegative ? -value : value)
    }

    private static func tooLarge(_ number: String, _ kind: Kind) -> ValueFailure {
        ValueFailure(.outOfRange, "'\(shortened(number))' is too large", kind.expected)
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (48...57).contains(byte) }

    private static func powerOfTen(_ exponent: Int) -> Double {
        (0..<exponent).reduce(1.0) { power, _ in power * 10 }
    }

    /// Text from a file as a message may quote it: one line of bounded length.
    static func shortened(_ text: String) -> String {
        let line = text.unicodeScalars.prefix(60).map { scalar in
            scalar.properties.generalCategory == .control ? " " : String(scalar)
        }.joined()
        return text.unicodeScalars.count > 60 ? line + "…" : line
    }
}

/// Why a value cannot be read; the caller adds the place.
struct ValueFailure: Error, Hashable {
    var category: ScenarioDiagnostic.Category
    var message: String
    var expected: String?
    var suggestion: String?
    /// Unicode scalars from the start of the value.
    var offset = 0

    init(
        _ category: ScenarioDiagnostic.Category,
        _ message: String,
        _ expected: String?,
        suggestion: String? = nil,
        offset: Int = 0
    ) {
        self.category = category
        self.message = message
        self.expected = expected
        self.suggestion = suggestion
        self.offset = offset
    }
}

extension String {
    /// Without spaces and tabs at both ends.
    func trimmingSpaces() -> String {
        let isSpace = { (character: Character) in character == " " || character == "\t" }
        let start = drop(while: isSpace)
        guard let last = start.lastIndex(where: { !isSpace($0) }) else { return "" }
        return String(start[...last])
    }
}
