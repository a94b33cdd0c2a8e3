/// What a batch, or any sum of batches, consists of.
public struct EncodingStatistics: Hashable, Sendable {
    /// Pages by class, in the order of `PageClass.allCases`.
    private var counts = [Int](repeating: 0, count: PageClass.allCases.count)
    /// Changed words in delta pages.
    public var changedWords = 0
    /// Bytes of the sections before compression.
    public var decodedBytes = 0
    /// Bytes of the batches as sent, headers included.
    public var sentBytes = 0

    public init() {}

    public subscript(pageClass: PageClass) -> Int {
        get { counts[Int(pageClass.rawValue)] }
        set { counts[Int(pageClass.rawValue)] = newValue }
    }

    /// Pages represented.
    public var pages: Int { counts.reduce(0, +) }
    /// State bytes represented: 4096 a page.
    public var stateBytes: Int { pages * Page.size }

    public static func += (left: inout EncodingStatistics, right: EncodingStatistics) {
        for index in left.counts.indices { left.counts[index] += right.counts[index] }
        left.changedWords += right.changedWords
        left.decodedBytes += right.decodedBytes
        left.sentBytes += right.sentBytes
    }
}
