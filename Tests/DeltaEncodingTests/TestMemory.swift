import DeltaEncoding
import Determinism
import Machines
import Units

/// A small memory that changes in ways that make every page class appear.
struct TestMemory {
    private(set) var pages: [Bytes]
    private(set) var random: SeededRandom

    init(pageCount: Int, seed: UInt64) {
        random = SeededRandom(seed: seed, entity: EntityID(.experiment, 0), purpose: "test memory")
        pages = []
        for _ in 0..<pageCount { pages.append(freshPage()) }
    }

    mutating func below(_ bound: Int) -> Int { Int(random.below(UInt64(bound))) }

    /// A page of random words, of text-like bytes, or of zeros.
    private mutating func freshPage() -> Bytes {
        switch below(4) {
        case 0:
            return Bytes([UInt8](repeating: 0, count: Page.size))
        case 1:
            return Bytes((0..<Page.size).map { _ in UInt8(97 + below(8)) })
        default:
            return Bytes((0..<Page.size).map { _ in UInt8(truncatingIfNeeded: random.next()) })
        }
    }

    /// Changes about a third of the pages; returns the numbers of some changed and some unchanged
    /// pages, ascending, at least one.
    mutating func mutate() -> [PageNumber] {
        var listed: [PageNumber] = []
        for index in pages.indices {
            switch below(12) {
            case 0: pages[index] = freshPage()
            case 1: pages[index] = pages[below(pages.count)]
            case 2: pages[index] = patched(pages[index], words: 1 + below(4))
            case 3: pages[index] = patched(pages[index], words: 1 + below(Page.wordCount))
            case 4: break
            default: continue
            }
            listed.append(PageNumber(UInt32(index)))
        }
        return listed.isEmpty ? [PageNumber(UInt32(below(pages.count)))] : listed
    }

    private mutating func patched(_ page: Bytes, words: Int) -> Bytes {
        var content = [UInt8](page)
        for _ in 0..<words {
            let start = below(Page.wordCount) * Page.wordSize
            content[start + below(Page.wordSize)] &+= UInt8(1 + below(255))
        }
        return Bytes(content)
    }

    func batch(_ numbers: [PageNumber]) -> PageBatch {
        PageBatch(numbers.map { PageVersion($0, pages[Int($0.rawValue)]) })
    }

    var allNumbers: [PageNumber] { pages.indices.map { PageNumber(UInt32($0)) } }
}

extension PageTable {
    /// Whether every page is known and equal to that of `memory`.
    func equals(_ memory: TestMemory) -> Bool {
        memory.allNumbers.allSatisfy { self[$0] == memory.pages[Int($0.rawValue)] }
    }
}

extension EncodingConfiguration {
    static var all: [EncodingConfiguration] {
        Form.allCases.flatMap { form in
            Compression.allCases.map { EncodingConfiguration(form: form, compression: $0) }
        }
    }
}

/// Makes the batch checksum right again after a test changed a batch.
func resealed(_ bytes: [UInt8]) -> Bytes {
    var batch = bytes
    if batch.count >= BatchHeader.size { batch.withUnsafeMutableBytes { BatchHeader.seal($0) } }
    return Bytes(batch)
}
