public import Units

/// Measured round trips and throughputs between regions of clouds, as the tables of Skyplane have
/// them (Jain et al., NSDI 2023): CSV with a header, one ordered pair a line.
///
/// Round trips have `src_region`, `dst_region`, `avg_rtt` (ms) and perhaps `mdev_rtt`; throughputs
/// have `throughput_recieved` (bit/s, spelled so) or `throughput_received`. Where a pair was measured
/// several times the median counts; with `src_tier` and `dst_tier`, only lines of the wanted tier.
public struct RegionTable: Hashable, Sendable {
    /// An ordered pair of regions.
    public struct Pair: Hashable, Comparable, Sendable {
        public var from: String
        public var to: String

        public init(from: String, to: String) {
            self.from = from
            self.to = to
        }

        public static func < (left: Pair, right: Pair) -> Bool {
            (left.from, left.to) < (right.from, right.to)
        }
    }

    /// One pair's line of one table, reduced.
    public struct Entry: Hashable, Sendable {
        public var pair: Pair
        /// Milliseconds, or bits a second.
        public var value: Double
    }

    /// Sorted by pair.
    public let entries: [Entry]

    /// Which column counts.
    public enum Quantity: Hashable, Sendable {
        case roundTrip
        case throughput

        var columns: [String] {
            switch self {
            case .roundTrip: ["avg_rtt"]
            case .throughput: ["throughput_recieved", "throughput_received"]
            }
        }

        /// What a link can have.
        var range: ClosedRange<Double> { self == .roundTrip ? 0...60_000 : 0...1e13 }
    }

    /// More lines are refused.
    public static let lineLimit = 1_000_000

    public static func read(
        _ path: String,
        _ quantity: Quantity,
        tier: String = "PREMIUM"
    ) throws(DataSetError) -> RegionTable {
        guard try FileAccess.size(path) <= RateTraceFile.sizeLimit else {
            throw .tooLarge(what: path, limit: "\(ByteCount(Int64(RateTraceFile.sizeLimit)))")
        }
        let bytes = try FileAccess.read(path, limit: RateTraceFile.sizeLimit)
        do throws(RateTraceProblem) {
            return try RegionTable(bytes, quantity, tier: tier)
        } catch {
            throw .badTrace(path: path, line: error.line, problem: error.problem)
        }
    }

    /// - Throws: What is wrong and on which line.
    public init(
        _ bytes: [UInt8],
        _ quantity: Quantity,
        tier: String = "PREMIUM"
    ) throws(RateTraceProblem) {
        var lines = TextLines(bytes)
        let comma = UInt8(ascii: ",")
        guard let header = lines.next() else {
            throw RateTraceProblem(line: 0, "there is nothing in it")
        }
        let names = header.words(separatedBy: comma)
        let from = try RegionTable.place(["src_region"], in: names)
        let to = try RegionTable.place(["dst_region"], in: names)
        let value = try RegionTable.place(quantity.columns, in: names)
        let tiers = ["src_tier", "dst_tier"].compactMap { names.firstIndex(of: $0) }
        var found: [Entry] = []
        while let line = lines.next() {
            let words = line.words(separatedBy: comma)
            guard words.count == names.count else {
                throw RateTraceProblem(
                    line: line.number,
                    "\(words.count) columns where the header has \(names.count)"
                )
            }
            guard found.count < RegionTable.lineLimit else {
                throw RateTraceProblem(
                    line: line.number,
                    "more than \(RegionTable.lineLimit) lines"
                )
            }
            // A measurement that failed has no value.
            guard tiers.allSatisfy({ words[$0] == tier }), !words[value].isEmpty else { continue }
            guard let number = Double(words[value]), quantity.range.contains(number) else {
                throw RateTraceProblem(
                    line: line.number,
                    "'\(TextLines.shortened(words[value]))' is not in \(quantity.range)"
                )
            }
            found.append(Entry(pair: Pair(from: words[from], to: words[to]), value: number))
        }
        entries = RegionTable.medians(found)
    }

    private static func place(
        _ columns: [String],
        in names: [String]
    ) throws(RateTraceProblem) -> Int {
        for column in columns {
            if let index = names.firstIndex(of: column) { return index }
        }
        throw RateTraceProblem(line: 1, "no column '\(columns[0])'")
    }

    private static func medians(_ found: [Entry]) -> [Entry] {
        let sorted = found.sorted { ($0.pair, $0.value) < ($1.pair, $1.value) }
        var result: [Entry] = []
        var start = 0
        while start < sorted.count {
            var end = start
            while end < sorted.count, sorted[end].pair == sorted[start].pair { end += 1 }
            let middle = start + (end - start) / 2
            let isEven = (end - start) % 2 == 0
            let value =
                isEven
                ? (sorted[middle - 1].value + sorted[middle].value) / 2 : sorted[middle].value
            result.append(Entry(pair: sorted[start].pair, value: value))
            start = end
        }
        return result
    }

    public func value(from: String, to: String) -> Double? {
        entries.first { $0.pair == Pair(from: from, to: to) }?.value
    }

    /// All regions that are an end of some pair, in order.
    public var regions: [String] {
        var names = entries.flatMap { [$0.pair.from, $0.pair.to] }
        names.sort()
        return names.enumerated().filter { $0.offset == 0 || names[$0.offset - 1] != $0.element }
            .map(\.element)
    }

    /// The `topology` section of a scenario with these regions, in YAML; a comment says where it is
    /// from.
    ///
    /// - Returns: The text, and the ordered pairs for which a table has no value, which are left out.
    public static func topology(
        of regions: [String],
        roundTrips: RegionTable,
        throughputs: RegionTable,
        source: String
    ) -> (text: String, missing: [Pair]) {
        var text = "# Round trips and throughputs: \(source).\n"
        text += "topology:\n  regions:\n"
        for region in regions { text += "    \(name(region)): {nodes: 1}\n" }
        text += "  links:\n"
        var missing: [Pair] = []
        for from in regions {
            for to in regions where from != to {
                guard let roundTrip = roundTrips.value(from: from, to: to),
                    let rate = throughputs.value(from: from, to: to), rate >= 1
                else {
                    missing.append(Pair(from: from, to: to))
                    continue
                }
                let delay = Interval(nanoseconds: Int64(roundTrip * 500_000))
                let kilobits = max(1, Int64(rate / 1000))
                text += "    - {from: \(name(from)), to: \(name(to)), "
                text += "delay: \(delay), rate: \(kilobits) kbit/s}\n"
            }
        }
        return (text, missing)
    }

    /// A cloud's region as a name of the scenario language: `aws:us-east-1` becomes `aws-us-east-1`.
    static func name(_ region: String) -> String {
        String(
            region.unicodeScalars.map { scalar in
                let isPlain =
                    scalar.isASCII
                    && (scalar.properties.isAlphabetic || scalar.properties.numericType != nil)
                return isPlain || scalar == "." || scalar == "_" ? Character(scalar) : "-"
            }
        )
    }
}
