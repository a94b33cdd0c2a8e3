import Units

extension ScalarKind {
    /// The value that `text` stands for.
    func value(of text: String) throws(ValueFailure) -> ScalarValue {
        switch self {
        case .duration(let allowsZero):
            return .interval(try ScalarKind.interval(text, allowsZero: allowsZero))
        case .span(let allowsZero):
            return .span(try ScalarKind.span(text, allowsZero: allowsZero))
        case .automaticDuration:
            guard text != "auto" else { return .automatic }
            return .interval(
                try ScalarKind.orElse(text, "auto") { text throws(ValueFailure) in
                    try ScalarKind.interval(text, allowsZero: true)
                }
            )
        case .rate:
            let value = try QuantityText.value(of: text, as: QuantityText.rate)
            guard (1...10_000_000_000_000).contains(value) else {
                throw ValueFailure(.outOfRange, "the rate is \(text)", "1 bit/s to 10000 Gbit/s")
            }
            return .rate(BitRate(bitsPerSecond: value))
        case .frequency:
            let value = try QuantityText.value(of: text, as: QuantityText.frequency)
            guard (1...1_000_000_000_000).contains(value) else {
                throw ValueFailure(.outOfRange, "the rate is \(text)", "0.000001 to 1000000 /s")
            }
            return .number(Double(value) / 1e6)
        case .size(let range):
            return .size(try ScalarKind.size(text, range))
        case .automaticSize(let range):
            guard text != "auto" else { return .automatic }
            return .size(
                try ScalarKind.orElse(text, "auto") { text throws(ValueFailure) in
                    try ScalarKind.size(text, range)
                }
            )
        case .share(let range):
            return .share(try ScalarKind.share(text, range))
        case .queueLimit:
            return .queueLimit(try ScalarKind.queueLimit(text))
        case .integer(let range):
            return .integer(try ScalarKind.integer(text, range))
        case .integers(let range):
            return .integers(try ScalarKind.integers(text, range))
        case .factors:
            return .factors(try ScalarKind.factors(text))
        case .shares:
            return .shares(try ScalarKind.shares(text))
        case .number(let bound, let orEqual):
            return .number(try ScalarKind.number(text, above: bound, orEqual: orEqual))
        case .streams:
            guard text != "auto" else { return .automatic }
            return .integer(
                try ScalarKind.orElse(text, "auto") { text throws(ValueFailure) in
                    try ScalarKind.integer(text, 1...256)
                }
            )
        case .seed:
            return .seed(try ScalarKind.seed(text))
        case .name:
            return .text(try ScalarKind.name(text))
        case .text, .expectation:
            return .text(try ScalarKind.line(text))
        case .choice(let choices):
            return .text(try ScalarKind.choice(text, choices))
        case .flag:
            return .flag(try ScalarKind.choice(text, [Choice("true"), Choice("false")]) == "true")
        case .pick:
            return .pick(try ScalarKind.pick(text))
        }
    }

    private static func interval(
        _ text: String,
        allowsZero: Bool
    ) throws(ValueFailure) -> Interval {
        let value = try QuantityText.value(of: text, as: QuantityText.duration)
        guard allowsZero ? value >= 0 : value > 0 else { throw tooShort(text, allowsZero) }
        return Interval(nanoseconds: value)
    }

    private static func span(
        _ text: String,
        allowsZero: Bool
    ) throws(ValueFailure) -> ClosedRange<Interval> {
        let range = try QuantityText.range(of: text, as: QuantityText.duration)
        guard allowsZero ? range.lowerBound >= 0 : range.lowerBound > 0 else {
            throw tooShort(text, allowsZero)
        }
        return Interval(
            nanoseconds: range.lowerBound
        )...Interval(nanoseconds: range.upperBound)
    }

    private static func tooShort(_ text: String, _ allowsZero: Bool) -> ValueFailure {
        ValueFailure(
            .outOfRange,
            "the duration is \(text)",
            allowsZero ? "zero or more" : "more than zero"
        )
    }

    private static func size(
        _ text: String,
        _ range: ClosedRange<Int64>
    ) throws(ValueFailure) -> ByteCount {
        let value = try QuantityText.value(of: text, as: QuantityText.size)
        guard range.contains(value) else {
            throw ValueFailure(
                .outOfRange,
                "the size is \(text)",
                "\(ByteCount(range.lowerBound)) to \(ByteCount(range.upperBound))"
            )
        }
        return ByteCount(value)
    }

    /// Reads `text`, and offers `word` too when that fails.
    private static func orElse<Value>(
        _ text: String,
        _ word: String,
        _ read: (String) throws(ValueFailure) -> Value
    ) throws(ValueFailure) -> Value {
        do {
            return try read(text)
        } catch {
            var failure = error
            failure.expected = "\(word), or \(failure.expected ?? "a value")"
            failure.suggestion = failure.suggestion ?? NearestName.nearest(to: text, among: [word])
            throw failure
        }
    }

    static func share(
        _ text: String,
        _ range: ShareRange
    ) throws(ValueFailure) -> Ratio {
        guard let parts = QuantityText.split(text), let number = Double(parts.number) else {
            throw ValueFailure(
                .badValue,
                "'\(QuantityText.shortened(text))' is not a share",
                "a share such as 0.1 %"
            )
        }
        guard parts.unit == "%" else {
            let unit = QuantityText.shortened(parts.unit)
            throw ValueFailure(
                .badValue,
                parts.unit.isEmpty ? "'\(parts.number)' has no unit" : "unknown unit '\(unit)'",
                "a share such as 0.1 %"
            )
        }
        let allowed: (Bool, String) =
            switch range {
            case .closed: ((0...100).contains(number), "0 % to 100 %")
            case .belowOne: (number >= 0 && number < 100, "0 % to less than 100 %")
            case .open: (number > 0 && number < 100, "more than 0 % and less than 100 %")
            case .positive: (number > 0 && number <= 100, "more than 0 %, up to 100 %")
            }
        guard allowed.0 else {
            throw ValueFailure(.outOfRange, "the share is \(text)", allowed.1)
        }
        return Ratio(number / 100)
    }

    private static func queueLimit(_ text: String) throws(ValueFailure) -> Scenario.QueueLimit {
        let expected = "bytes, a time, or bandwidth-delay products, such as 1 MiB, 50 ms or 1 BDP"
        guard let parts = QuantityText.split(text), let number = Double(parts.number) else {
            throw ValueFailure(
                .badValue,
                "'\(QuantityText.shortened(text))' is not a queue limit",
                expected
            )
        }
        if parts.unit == "BDP" {
            guard number > 0, number <= 1_000 else {
                throw ValueFailure(
                    .outOfRange,
                    "the queue holds \(text)",
                    "more than 0 BDP, up to 1000 BDP"
                )
            }
            return .bandwidthDelayProducts(number)
        }
        let isTime = QuantityText.duration.units.contains { $0.name == parts.unit }
        let isSize = QuantityText.size.units.contains { $0.name == parts.unit }
        guard isTime || isSize else {
            let units =
                QuantityText.size.units.map(\.name) + QuantityText.duration.units.map(\.name)
            throw ValueFailure(
                .badValue,
                parts.unit.isEmpty
                    ? "'\(parts.number)' has no unit"
                    : "unknown unit '\(QuantityText.shortened(parts.unit))'",
                expected,
                suggestion: NearestName.nearest(to: parts.unit, among: ["BDP"] + units)
            )
        }
        if isTime { return .time(try interval(text, allowsZero: false)) }
        let bytes = try QuantityText.value(of: text, as: QuantityText.size)
        guard bytes >= 1514 else {
            throw ValueFailure(
                .outOfRange,
                "the queue holds \(text)",
                "at least 1514 B, one full packet"
            )
        }
        return .bytes(ByteCount(bytes))
    }

    static func integer(
        _ text: String,
        _ range: ClosedRange<Int64>
    ) throws(ValueFailure) -> Int64 {
        let expected = "a whole number from \(range.lowerBound) to \(range.upperBound)"
        guard let value = Int64(text), !text.hasPrefix("+") else {
            throw ValueFailure(
                .badValue,
                "'\(QuantityText.shortened(text))' is not a whole number",
                expected
            )
        }
        guard range.contains(value) else {
            throw ValueFailure(.outOfRange, "the number is \(value)", expected)
        }
        return value
    }

    static func number(
        _ text: String,
        above bound: Double,
        orEqual: Bool
    ) throws(ValueFailure) -> Double {
        let limit = QuantityText.numberText(bound)
        let expected = "a number \(orEqual ? "of at least" : "above") \(limit), up to 1000000"
        guard let value = QuantityText.plainNumber(text) else {
            throw ValueFailure(
                .badValue,
                "'\(QuantityText.shortened(text))' is not a number",
                expected
            )
        }
        guard orEqual ? value >= bound : value > bound, value <= 1_000_000 else {
            throw ValueFailure(.outOfRange, "the number is \(text)", expected)
        }
        return value
    }

    private static func seed(_ text: String) throws(ValueFailure) -> UInt64 {
        let isHexadecimal = text.hasPrefix("0x")
        let digits = isHexadecimal ? text.dropFirst(2) : text[...]
        guard !digits.hasPrefix("+"), let value = UInt64(digits, radix: isHexadecimal ? 16 : 10)
        else {
            throw ValueFailure(
                .badValue,
                "'\(QuantityText.shortened(text))' is not a seed",
                "a whole number below 2^64, decimal or hexadecimal such as 0x9A3F"
            )
        }
        return value
    }

    static func name(_ text: String) throws(ValueFailure) -> String {
        let isWord = text.utf8.allSatisfy { byte in
            (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
                || byte == 45 || byte == 46 || byte == 95
        }
        guard isWord, (1...64).contains(text.utf8.count), text.utf8.first != 45,
            text.utf8.first != 46
        else {
            throw ValueFailure(
                .badValue,
                "'\(QuantityText.shortened(text))' is not a name",
                "up to 64 letters, digits, '.', '_' and '-', starting with a letter or a digit"
            )
        }
        return text
    }

    private static func line(_ text: String) throws(ValueFailure) -> String {
        let isPrintable = text.unicodeScalars.allSatisfy {
            let category = $0.properties.generalCategory
            return category != .control && category != .lineSeparator
                && category != .paragraphSeparator
        }
        guard isPrintable, (1...200).contains(text.unicodeScalars.count) else {
            throw ValueFailure(
                .badValue,
                "'\(QuantityText.shortened(text))' is not one line of text",
                "1 to 200 printable characters"
            )
        }
        return text
    }

    private static func choice(
        _ text: String,
        _ choices: [Choice]
    ) throws(ValueFailure) -> String {
        let words = choices.map(\.word)
        guard let choice = choices.first(where: { $0.word == text }) else {
            throw ValueFailure(
                .badValue,
                "unknown word '\(QuantityText.shortened(text))'",
                words.joined(separator: ", "),
                suggestion: NearestName.nearest(to: text, among: words)
            )
        }
        if let reason = choice.unsupported { throw ValueFailure(.unsupported, reason, nil) }
        return text
    }

    private static func pick(_ text: String) throws(ValueFailure) -> FaultRule.Pick {
        switch text {
        case "one": return .one
        case "leader": return .leader
        case "all": return .all
        default: break
        }
        let expected = "one, leader, all, a number or a share such as 30 %"
        guard let parts = QuantityText.split(text) else {
            throw ValueFailure(
                .badValue,
                "'\(QuantityText.shortened(text))' does not say how many",
                expected,
                suggestion: NearestName.nearest(to: text, among: ["one", "leader", "all"])
            )
        }
        if parts.unit == "%" { return .percent(try share(text, .positive)) }
        do {
            return .count(Int(try integer(text, 1...10_000)))
        } catch {
            var failure = error
            failure.expected = expected
            throw failure
        }
    }
}
