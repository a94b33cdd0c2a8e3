/// Reads the text of a schedule.
struct CronFields {
    struct Value {
        var bits: UInt64 = 0
        /// Whether the field is just `*`.
        var isFree = false
        var column: Int
    }

    private struct Kind {
        var name: String
        var range: ClosedRange<Int>
        /// Names of the values from the range's first on.
        var names: [String] = []
    }

    private static let kinds = [
        Kind(name: "minute", range: 0...59),
        Kind(name: "hour", range: 0...23),
        Kind(name: "day of month", range: 1...31),
        Kind(
            name: "month",
            range: 1...12,
            names: [
                "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
            ]
        ),
        Kind(
            name: "day of week",
            range: 0...7,
            names: ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
        ),
    ]

    /// One for each field, in order.
    let values: [Value]

    init(_ text: String) throws(CronError) {
        let characters = Array(text)
        guard characters.count <= CronExpression.lengthLimit else {
            throw CronError(column: CronExpression.lengthLimit + 1, reason: .tooLong)
        }
        var parts: [ArraySlice<Character>] = []
        var start: Int?
        for (position, character) in characters.enumerated() {
            if character == " " || character == "\t" {
                if let first = start { parts.append(characters[first..<position]) }
                start = nil
            } else if start == nil {
                start = position
            }
        }
        if let first = start { parts.append(characters[first...]) }
        guard parts.count == CronFields.kinds.count else {
            let column = parts.count > 5 ? parts[5].startIndex + 1 : characters.count + 1
            throw CronError(column: column, reason: .fieldCount(parts.count))
        }
        var values: [Value] = []
        for (kind, part) in zip(CronFields.kinds, parts) {
            values.append(try CronFields.read(part, kind))
        }
        self.values = values
    }

    private static func read(
        _ text: ArraySlice<Character>,
        _ kind: Kind
    ) throws(CronError) -> Value {
        var value = Value(isFree: text.elementsEqual("*"), column: text.startIndex + 1)
        for item in text.split(separator: ",", omittingEmptySubsequences: false) {
            let halves = item.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
            var range = try readRange(halves[0], kind)
            var step = 1
            if halves.count == 2 {
                guard range.isRange else {
                    throw CronError(column: halves[1].startIndex, reason: .stepWithoutRange)
                }
                let number = String(halves[1])
                guard let read = digits(halves[1]), read >= 1 else {
                    throw CronError(column: halves[1].startIndex + 1, reason: .badStep(number))
                }
                step = read
            }
            // `*` stops where values begin to repeat.
            if range.isStar, kind.range == 0...7 { range.last = 6 }
            for number in stride(from: range.first, through: range.last, by: step) {
                value.bits |= 1 << UInt64(number)
            }
        }
        return value
    }

    private struct Range {
        var first: Int
        var last: Int
        var isRange: Bool
        var isStar = false
    }

    private static func readRange(
        _ text: ArraySlice<Character>,
        _ kind: Kind
    ) throws(CronError) -> Range {
        if text.elementsEqual("*") {
            return Range(
                first: kind.range.lowerBound,
                last: kind.range.upperBound,
                isRange: true,
                isStar: true
            )
        }
        let ends = text.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        let first = try readValue(ends[0], kind)
        guard ends.count == 2 else { return Range(first: first, last: first, isRange: false) }
        let last = try readValue(ends[1], kind)
        guard first <= last else {
            throw CronError(column: ends[1].startIndex + 1, reason: .descending(first, last))
        }
        return Range(first: first, last: last, isRange: true)
    }

    private static func readValue(
        _ text: ArraySlice<Character>,
        _ kind: Kind
    ) throws(CronError) -> Int {
        let word = String(text)
        if let position = kind.names.firstIndex(of: word.lowercased()) {
            return kind.range.lowerBound + position
        }
        guard let number = digits(text) else {
            throw CronError(
                column: text.startIndex + 1,
                reason: .badValue(word, field: kind.name)
            )
        }
        guard kind.range.contains(number) else {
            throw CronError(
                column: text.startIndex + 1,
                reason: .outOfRange(number, field: kind.name, range: kind.range)
            )
        }
        return number
    }

    /// One to four digits, without a sign.
    private static func digits(_ text: ArraySlice<Character>) -> Int? {
        guard (1...4).contains(text.count), text.allSatisfy({ ("0"..."9").contains($0) }) else {
            return nil
        }
        return Int(String(text))
    }
}
