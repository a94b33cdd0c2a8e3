public import LinkModel
public import Units

/// Files that say what a link could carry over time, and how to read them.
///
/// Read are: mahimahi's lists of delivery opportunities (a whole number of milliseconds a line);
/// two columns of time and rate, as most published series have them; CSV with a header. Nothing a
/// file can hold traps: what makes no trace is an error that names the line.
public enum RateTraceFile {
    /// How the bytes are to be read.
    public enum Format: Hashable, Sendable {
        /// One number a line is mahimahi's, two are time and rate.
        case automatic
        case mahimahi
        case columns(TimeRateColumns)
    }

    /// Longer files are refused.
    public static let sizeLimit = 256 << 20

    /// A trace in the words of a file.
    ///
    /// - Parameter ending: what comes after its end; mahimahi's always repeat.
    public static func read(
        _ path: String,
        _ format: Format = .automatic,
        ending: RateTrace.Ending = .repeat
    ) throws(DataSetError) -> RateTrace {
        guard try FileAccess.size(path) <= sizeLimit else {
            throw .tooLarge(what: path, limit: "\(ByteCount(Int64(sizeLimit)))")
        }
        let bytes = try FileAccess.read(path, limit: sizeLimit)
        do throws(RateTraceProblem) {
            return try decode(bytes, format, ending: ending)
        } catch {
            throw .badTrace(path: path, line: error.line, problem: error.problem)
        }
    }

    /// - Throws: What is wrong and where; lines count from one, 0 stands for the file as a whole.
    public static func decode(
        _ bytes: [UInt8],
        _ format: Format = .automatic,
        ending: RateTrace.Ending = .repeat
    ) throws(RateTraceProblem) -> RateTrace {
        switch format {
        case .mahimahi: return try opportunities(bytes)
        case .columns(let columns): return try columns.decode(bytes, ending: ending)
        case .automatic where KeptTrace.isKept(bytes):
            return try KeptTrace.decode(bytes, ending: ending)
        case .automatic:
            var lines = TextLines(bytes)
            guard let first = lines.next() else {
                throw RateTraceProblem(line: 0, "there is nothing in it")
            }
            return first.words(separatedBy: TextLines.blank).count == 1
                ? try opportunities(bytes)
                : try TimeRateColumns().decode(bytes, ending: ending)
        }
    }

    private static func opportunities(_ bytes: [UInt8]) throws(RateTraceProblem) -> RateTrace {
        var times: [Int64] = []
        var places: [Int] = []
        var lines = TextLines(bytes)
        while let line = lines.next() {
            guard times.count < RateTrace.limit else {
                throw RateTraceProblem(line: line.number, "more than \(RateTrace.limit) lines")
            }
            guard let value = Int64(line.text), value >= 0,
                value <= RateTrace.lengthLimit.nanoseconds / 1_000_000
            else {
                throw RateTraceProblem(
                    line: line.number,
                    "'\(line.shortened)' is not a time in whole milliseconds"
                )
            }
            times.append(value * 1_000_000)
            places.append(line.number)
        }
        do throws(RateTraceError) {
            return try RateTrace(.opportunities(times), ending: .repeat)
        } catch {
            throw RateTraceProblem(error, places)
        }
    }
}

/// Columns of time and rate, separated by blanks, or by commas with a header.
public struct TimeRateColumns: Hashable, Sendable {
    /// What the rates are given in.
    public enum RateUnit: String, Hashable, Sendable, CaseIterable {
        case bits = "bit/s"
        case kilobits = "kbit/s"
        case megabits = "Mbit/s"
        case gigabits = "Gbit/s"
        case megabytes = "MB/s"

        var bitsPerSecond: Double {
            switch self {
            case .bits: 1
            case .kilobits: 1e3
            case .megabits: 1e6
            case .gigabits: 1e9
            case .megabytes: 8e6
            }
        }
    }

    /// What the times are given in.
    public enum TimeUnit: String, Hashable, Sendable, CaseIterable {
        case seconds = "s"
        case milliseconds = "ms"

        var nanoseconds: Double { self == .seconds ? 1e9 : 1e6 }
    }

    /// Which moment of its sample a time names.
    public enum Stamp: String, Hashable, Sendable, CaseIterable {
        /// The rate holds from here on.
        case start
        /// The rate held until here; the first sample's length is taken from the second's.
        case end
    }

    public var rateUnit: RateUnit
    public var timeUnit: TimeUnit
    public var stamp: Stamp
    /// Names in the header line, or numbers of columns from one.
    public var timeColumn: String
    public var rateColumn: String
    /// Whether commas separate the columns and the first line names them.
    public var hasHeader: Bool
    /// Only lines whose column holds this text.
    public var filters: [Filter]

    public struct Filter: Hashable, Sendable {
        public var column: String
        public var value: String

        public init(column: String, value: String) {
            self.column = column
            self.value = value
        }
    }

    public init(
        rateUnit: RateUnit = .megabits,
        timeUnit: TimeUnit = .seconds,
        stamp: Stamp = .start,
        timeColumn: String = "1",
        rateColumn: String = "2",
        hasHeader: Bool = false,
        filters: [Filter] = []
    ) {
        self.rateUnit = rateUnit
        self.timeUnit = timeUnit
        self.stamp = stamp
        self.timeColumn = timeColumn
        self.rateColumn = rateColumn
        self.hasHeader = hasHeader
        self.filters = filters
    }

    func decode(_ bytes: [UInt8], ending: RateTrace.Ending) throws(RateTraceProblem) -> RateTrace {
        var lines = TextLines(bytes)
        let separator = hasHeader ? UInt8(ascii: ",") : TextLines.blank
        var names: [String] = []
        if hasHeader {
            guard let header = lines.next() else {
                throw RateTraceProblem(line: 0, "there is nothing in it")
            }
            names = header.words(separatedBy: separator)
        }
        let time = try place(of: timeColumn, in: names)
        let rate = try place(of: rateColumn, in: names)
        var tests: [(place: Int, value: String)] = []
        for filter in filters {
            tests.append((try place(of: filter.column, in: names), filter.value))
        }
        var samples = Samples()
        while let line = lines.next() {
            let words = line.words(separatedBy: separator)
            let isWanted = tests.allSatisfy {
                $0.place < words.count && words[$0.place] == $0.value
            }
            guard isWanted else { continue }
            guard samples.times.count < RateTrace.limit else {
                throw RateTraceProblem(line: line.number, "more than \(RateTrace.limit) samples")
            }
            guard time < words.count, rate < words.count else {
                throw RateTraceProblem(
                    line: line.number,
                    "\(words.count) columns; column \(max(time, rate) + 1) is wanted"
                )
            }
            // Sums of a few such times stay within 64 bits of nanoseconds.
            let seconds = try number(words[time], line, upTo: 2e18 / timeUnit.nanoseconds)
            let bits = try number(words[rate], line, upTo: 1e15) * rateUnit.bitsPerSecond
            guard bits <= Double(RateTrace.rateLimit) else {
                throw RateTraceProblem(line: line.number, "a rate of \(bits) bit/s is no link's")
            }
            samples.times.append(Int64((seconds * timeUnit.nanoseconds).rounded()))
            samples.rates.append(Int64(bits.rounded()))
            samples.places.append(line.number)
        }
        return try samples.trace(stamp, ending: ending)
    }

    /// The index of a column that is named or numbered.
    private func place(of column: String, in names: [String]) throws(RateTraceProblem) -> Int {
        if let index = names.firstIndex(of: column) { return index }
        if let number = Int(column), (1...10_000).contains(number) { return number - 1 }
        let known = names.isEmpty ? "columns have numbers here" : names.joined(separator: ", ")
        throw RateTraceProblem(line: names.isEmpty ? 0 : 1, "no column '\(column)'; \(known)")
    }

    private func number(
        _ word: String,
        _ line: TextLines.Line,
        upTo limit: Double
    ) throws(RateTraceProblem) -> Double {
        guard let value = Double(word), value.isFinite, value >= 0, value <= limit else {
            throw RateTraceProblem(
                line: line.number,
                "'\(TextLines.shortened(word))' is not a number in 0...\(limit)"
            )
        }
        return value
    }

    /// What was read, in the file's order.
    private struct Samples {
        var times: [Int64] = []
        var rates: [Int64] = []
        var places: [Int] = []

        /// Times begin at the first sample. A pass ends a typical sample after the last one starts.
        func trace(_ stamp: Stamp, ending: RateTrace.Ending) throws(RateTraceProblem) -> RateTrace {
            guard let first = times.first, let last = times.last else {
                throw RateTraceProblem(line: 0, "no line has a sample")
            }
            for index in times.indices.dropFirst() where times[index] <= times[index - 1] {
                throw RateTraceProblem(
                    line: places[index],
                    "its time is not after the one on line \(places[index - 1])"
                )
            }
            let count = Int64(max(1, times.count - 1))
            let typical = times.count > 1 ? max(1, (last - first) / count) : 1_000_000_000
            var starts = times.map { $0 - first }
            if stamp == .end, times.count > 1 {
                // Every sample starts where the one before it ended; the first is as long as the second.
                let before = times[1] - first
                starts = [0] + times.dropLast().map { $0 - first + before }
            }
            let end = starts[starts.count - 1] + typical
            do throws(RateTraceError) {
                return try RateTrace(
                    .steps(starts: starts, rates: rates),
                    ending: ending,
                    length: ending == .repeat ? Interval(nanoseconds: end) : nil
                )
            } catch {
                throw RateTraceProblem(error, places)
            }
        }
    }
}

/// Why a file holds no trace.
public struct RateTraceProblem: Error, Hashable, Sendable {
    /// From one; 0 where it is not about a line.
    public var line: Int
    public var problem: String

    init(line: Int, _ problem: String) {
        self.line = line
        self.problem = problem
    }

    /// - Parameter places: the line of each entry.
    init(_ error: RateTraceError, _ places: [Int]) {
        problem = error.description
        switch error {
        case .outOfOrder(let index), .rateOutOfRange(let index):
            line = index < places.count ? places[index] : 0
        case .empty, .tooMany, .doesNotStartAtZero, .tooLong, .endsTooEarly, .carriesNothing,
            .endsInSilence, .opportunitiesHeld:
            line = 0
        }
    }
}

/// The lines of a text that hold something: not blank, not beginning with `#`.
struct TextLines {
    /// Stands for any number of spaces and tabs.
    static let blank = UInt8(ascii: " ")

    private let bytes: [UInt8]
    private var position = 0
    private var number = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    struct Line {
        var number: Int
        var bytes: ArraySlice<UInt8>

        var text: String { String(decoding: bytes, as: UTF8.self) }
        var shortened: String { TextLines.shortened(text) }

        func words(separatedBy separator: UInt8) -> [String] {
            let isBlank = separator == TextLines.blank
            return bytes.split(omittingEmptySubsequences: isBlank) {
                $0 == separator || (isBlank && $0 == UInt8(ascii: "\t"))
            }
            .map { String(decoding: $0, as: UTF8.self) }
        }
    }

    mutating func next() -> Line? {
        while position < bytes.count {
            let end = bytes[position...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count
            var line = bytes[position..<end]
            position = end + 1
            number += 1
            while let last = line.last, last == 13 || last == 32 || last == 9 { line.removeLast() }
            while let first = line.first, first == 32 || first == 9 { line.removeFirst() }
            guard let first = line.first, first != UInt8(ascii: "#") else { continue }
            return Line(number: number, bytes: line)
        }
        return nil
    }

    /// Text for a message, bounded.
    static func shortened(_ text: String) -> String {
        text.count > 40 ? text.prefix(40) + "…" : text
    }
}
