/// How much later than due packets left an emulator, in microseconds up to 10 ms; what is later
/// counts as the largest.
public struct DelayErrors: Hashable, Sendable, Codable {
    private static let limit = 10_000

    public private(set) var count: UInt64 = 0
    public private(set) var maximumNanoseconds: Int64 = 0
    /// Packets by whole microseconds.
    private var buckets: [UInt32]

    public init() {
        buckets = Array(repeating: 0, count: DelayErrors.limit + 1)
    }

    /// A time before the due time counts as none: no packet leaves early.
    package mutating func record(nanoseconds: Int64) {
        let late = max(0, nanoseconds)
        count += 1
        maximumNanoseconds = max(maximumNanoseconds, late)
        let bucket = min(DelayErrors.limit, Int(late / 1000))
        buckets[bucket] &+= 1
    }

    package mutating func merge(_ other: DelayErrors) {
        count += other.count
        maximumNanoseconds = max(maximumNanoseconds, other.maximumNanoseconds)
        for index in buckets.indices { buckets[index] &+= other.buckets[index] }
    }

    /// The microseconds that the share `probability` of the packets did not exceed, rounded up;
    /// `nil` before the first.
    public func microseconds(_ probability: Double) -> Int? {
        guard count > 0 else { return nil }
        let rank = max(1, UInt64((probability * Double(count)).rounded(.up)))
        var seen: UInt64 = 0
        for (index, amount) in buckets.enumerated() {
            seen += UInt64(amount)
            if seen >= rank { return index + 1 }
        }
        return buckets.count
    }

    /// Occupied buckets with their upper edges in microseconds.
    public var occupied: [(microseconds: Int, count: UInt64)] {
        buckets.indices.filter { buckets[$0] > 0 }.map { ($0 + 1, UInt64(buckets[$0])) }
    }

    // Nearly all of the buckets are empty: written as pairs of microseconds and packets.
    public init(from decoder: any Decoder) throws {
        self.init()
        let pairs = try decoder.container(keyedBy: Key.self)
        let flat = try pairs.decode([UInt64].self, forKey: .buckets)
        maximumNanoseconds = try pairs.decode(Int64.self, forKey: .maximum)
        guard flat.count.isMultiple(of: 2) else { throw DelayErrors.corrupted(decoder) }
        for index in stride(from: 0, to: flat.count, by: 2) {
            guard flat[index] <= UInt64(DelayErrors.limit), flat[index + 1] <= UInt32.max else {
                throw DelayErrors.corrupted(decoder)
            }
            buckets[Int(flat[index])] = UInt32(flat[index + 1])
            count += flat[index + 1]
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        let flat = occupied.flatMap { [UInt64($0.microseconds - 1), $0.count] }
        try container.encode(flat, forKey: .buckets)
        try container.encode(maximumNanoseconds, forKey: .maximum)
    }

    private enum Key: CodingKey { case buckets, maximum }

    private static func corrupted(_ decoder: any Decoder) -> DecodingError {
        .dataCorrupted(
            .init(codingPath: decoder.codingPath, debugDescription: "no delay errors")
        )
    }
}
