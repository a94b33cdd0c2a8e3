public import DeltaEncoding
package import Determinism
import Machines

/// Encodes pages of every class, decodes them again and compares: shows that an encoding works in
/// this process, with the zstd that is installed here, before the memory of a guest is trusted to
/// it.
package struct EncodingCheck: Sendable {
    let configuration: EncodingConfiguration
    /// Pages of the memory that is encoded: 128 KiB.
    package static let pageCount = 32

    package init(_ configuration: EncodingConfiguration) {
        self.configuration = configuration
    }

    /// - Parameter random: draws the pages' contents.
    /// - Returns: what was encoded.
    @discardableResult
    package func run(_ random: inout SeededRandom) throws(EncodingFault) -> EncodingStatistics {
        let empty = PageTable(pageCount: EncodingCheck.pageCount)
        var encoder = BatchEncoder(session: 1, configuration: configuration, receiver: empty)
        var decoder = BatchDecoder(session: 1, memory: empty)
        var statistics = EncodingStatistics()
        let first = EncodingCheck.image(&random)
        let second = EncodingCheck.changed(first, &random)
        for pages in [first, second] {
            let batch = PageBatch(
                pages.enumerated().map { PageVersion(PageNumber(UInt32($0.offset)), $0.element) }
            )
            let encoded = encoder.prepare(batch).run()
            encoder.integrate(encoded)
            try expectRejection(of: encoded.bytes, by: decoder)
            switch decoder.prepare(encoded.bytes).run() {
            case .failure(let failure): throw .rejected(failure)
            case .success(let decoded):
                do throws(DecodingFailure) {
                    try decoder.integrate(decoded)
                } catch {
                    throw .rejected(error)
                }
            }
            for (index, page) in pages.enumerated() {
                guard decoder.memory[PageNumber(UInt32(index))] == page else {
                    throw .different(PageNumber(UInt32(index)))
                }
            }
            statistics += encoded.statistics
        }
        return statistics
    }

    /// One damaged byte must not pass.
    private func expectRejection(
        of bytes: Bytes,
        by decoder: BatchDecoder
    ) throws(EncodingFault) {
        var damaged = bytes.withUnsafeBytes { Array($0) }
        damaged[damaged.count / 2] ^= 1
        if case .success = decoder.prepare(Bytes(damaged)).run() { throw .damagePassed }
    }

    /// Zeros, noise, a text that compresses, and repetitions of earlier pages.
    private static func image(_ random: inout SeededRandom) -> [Bytes] {
        var pages: [Bytes] = []
        for index in 0..<pageCount {
            switch index % 4 {
            case 0: pages.append(Page.zero)
            case 1: pages.append(Bytes((0..<Page.size).map { _ in byte(&random) }))
            case 2:
                let word = (0..<64).map { _ in byte(&random) }
                pages.append(Bytes((0..<Page.size).map { word[$0 % word.count] }))
            case _: pages.append(pages[Int(random.below(UInt64(index)))])
            }
        }
        return pages
    }

    /// Every second page with some changed words, as a guest leaves them, and some with what
    /// another page held before.
    private static func changed(_ pages: [Bytes], _ random: inout SeededRandom) -> [Bytes] {
        pages.enumerated().map { index, page in
            if index % 8 == 6 { return pages[index - 5] }
            guard index % 2 == 1 else { return page }
            var bytes = page.withUnsafeBytes { Array($0) }
            for _ in 0..<8 { bytes[Int(random.below(UInt64(Page.size)))] = byte(&random) }
            return Bytes(bytes)
        }
    }

    private static func byte(_ random: inout SeededRandom) -> UInt8 {
        UInt8(truncatingIfNeeded: random.next())
    }
}

/// What the check of an encoding found.
public enum EncodingFault: Error, Hashable, Sendable, CustomStringConvertible {
    /// Of zstd: only 0, 1, 3 and 9 are used.
    case unknownLevel(Int)
    case rejected(DecodingFailure)
    case different(PageNumber)
    /// Damaged bytes were decoded.
    case damagePassed

    public var description: String {
        switch self {
        case .unknownLevel(let level):
            "there is no compression level \(level): 0, 1, 3 and 9 can be chosen"
        case .rejected(let failure):
            "the encoding does not work here: what was encoded was rejected: \(failure)"
        case .different(let page):
            "the encoding does not work here: \(page) came out different"
        case .damagePassed:
            "the encoding does not work here: damaged bytes were accepted"
        }
    }
}
