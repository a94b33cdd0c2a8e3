import DeltaEncoding
import Determinism
import Machines
import Units

/// The pages on which speeds are measured: a seeded mix with the compressibility of the used pages
/// of real guests, and a second version of each page in which some words have changed.
///
/// Calibrated against the memory of running virtual machines: literal pages compress about 3x with
/// zstd 3, and a changed page differs in some fifty words that lie in clusters.
struct SamplePages {
    /// 8192 pages, 32 MiB, of which none is zero and no two are equal.
    let before: [PageVersion]
    /// The same pages after some words changed.
    let after: [PageVersion]

    static let pageCount = 8192

    init() {
        var random = SeededRandom(
            seed: 1,
            entity: EntityID(.experiment, 0),
            purpose: "hardware measurement"
        )
        // One image each, as data sets hold them: where pages lie decides how fast they are read.
        var before: [UInt8] = []
        var after: [UInt8] = []
        before.reserveCapacity(SamplePages.pageCount * Page.size)
        after.reserveCapacity(SamplePages.pageCount * Page.size)
        for index in 0..<SamplePages.pageCount {
            var words = SamplePages.words(&random)
            words[0] = UInt64(index) << 32 | 1
            words.withUnsafeBytes { before.append(contentsOf: $0) }
            SamplePages.change(&words, &random)
            words.withUnsafeBytes { after.append(contentsOf: $0) }
        }
        self.before = SamplePages.pages(of: before)
        self.after = SamplePages.pages(of: after)
    }

    private static func pages(of image: [UInt8]) -> [PageVersion] {
        (0..<pageCount).map { index in
            let start = index * Page.size
            return PageVersion(PageNumber(UInt32(index)), image[start..<start + Page.size])
        }
    }

    /// Half the pages hold pointers and counters, the others text, machine code or noise.
    private static func words(_ random: inout SeededRandom) -> [UInt64] {
        switch random.below(16) {
        case 0..<8: records(&random)
        case 8..<12: text(&random)
        case 12..<15: code(&random)
        default: (0..<Page.wordCount).map { _ in random.next() }
        }
    }

    /// Records of a pointer, a small number, flags and often nothing, as heaps hold them.
    private static func records(_ random: inout SeededRandom) -> [UInt64] {
        let heap = 0x7f00_0000_0000 | random.below(1 << 20) << 20
        return (0..<Page.wordCount).map { index in
            switch index % 4 {
            case 0: heap | random.below(1 << 14) << 4
            case 1: random.below(100)
            case 2: random.below(4) == 0 ? random.below(1 << 32) : 0
            default: 0x1_0000_0001 &* random.below(4)
            }
        }
    }

    private static func text(_ random: inout SeededRandom) -> [UInt64] {
        let syllables = Array("ser ver re quest time out val ue na me id key ta ble in dex ".utf8)
            .split(separator: UInt8(ascii: " "))
        var bytes: [UInt8] = []
        while bytes.count < Page.size {
            bytes += syllables[Int(random.below(UInt64(syllables.count)))]
            bytes += syllables[Int(random.below(UInt64(syllables.count)))]
            switch random.below(6) {
            case 0: bytes += Array("\(random.below(100_000))".utf8)
            case 1: bytes += Array("\": \"".utf8)
            case 2: bytes.append(UInt8(ascii: "\n"))
            default: bytes.append(UInt8(ascii: " "))
            }
        }
        return bytes.withUnsafeBytes { text in
            (0..<Page.wordCount).map { text.loadUnaligned(fromByteOffset: $0 * 8, as: UInt64.self) }
        }
    }

    /// Bytes of which few values are frequent and many are rare.
    private static func code(_ random: inout SeededRandom) -> [UInt64] {
        (0..<Page.wordCount).map { _ in
            var word: UInt64 = 0
            for _ in 0..<8 {
                let few = random.below(256)
                word = word << 8 | (few * random.below(256) >> 8) * random.below(256) >> 8
            }
            return word
        }
    }

    /// Changes words in runs of up to sixteen.
    private static func change(_ words: inout [UInt64], _ random: inout SeededRandom) {
        for _ in 0...random.below(12) {
            let start = Int(random.below(UInt64(Page.wordCount - 16)))
            for word in start...start + Int(random.below(16)) {
                words[word] &+= 1 + random.below(1 << 16)
            }
        }
    }
}
