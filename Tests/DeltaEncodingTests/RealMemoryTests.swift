import CZstd
import DeltaEncoding
import Foundation
import Machines
import Testing

// Goal: on the memory of real virtual machines, encoding keeps its ratio and decodes bit for bit.
// Method: each workload has three images; the first is sent whole, then what changed to the second
// and to the third. The floors leave a margin below what was measured; speed is printed, not gated.
@Suite(.serialized) struct RealMemoryTests {
    private static let workloads = ["redis", "gcc", "idle"]

    /// `shared/datasets/vm-memory` beside the project, or below NOVALAB_SHARED.
    private static let folder: URL? = {
        let package = URL(filePath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let shared =
            ProcessInfo.processInfo.environment["NOVALAB_SHARED"].map { URL(filePath: $0) }
            ?? package.deletingLastPathComponent().appending(path: "shared")
        let folder = shared.appending(path: "datasets/vm-memory")
        return FileManager.default.fileExists(atPath: folder.path) ? folder : nil
    }()

    private struct Sums {
        var statistics = EncodingStatistics()
        var encoding = Duration.zero
        var decoding = Duration.zero

        var ratio: Double { Double(statistics.stateBytes) / Double(statistics.sentBytes) }

        static func += (left: inout Sums, right: Sums) {
            left.statistics += right.statistics
            left.encoding += right.encoding
            left.decoding += right.decoding
        }

        func line(_ name: String) -> String {
            func rate(_ time: Duration) -> Int {
                Int(Double(statistics.stateBytes) / (time / .microseconds(1)))
            }
            let rounded = (ratio * 100).rounded() / 100
            return "\(name): \(statistics.pages) pages, ratio-dirty \(rounded)x, "
                + "encode \(rate(encoding)) MB/s, decode \(rate(decoding)) MB/s"
        }
    }

    @Test(
        .enabled(if: folder != nil, "no shared/datasets/vm-memory beside the project"),
        arguments: [EncodingConfiguration.Compression.level1, .level3]
    )
    func imagesKeepTheirRatio(compression: EncodingConfiguration.Compression) throws {
        let folder = try #require(Self.folder)
        let configuration = EncodingConfiguration(form: .hierarchical, compression: compression)
        var pooled = [Sums(), Sums(), Sums()]
        for workload in Self.workloads {
            let images = try Self.images(folder.appending(path: "\(workload).3x64MiB.raw.zst"))
            let pageCount = images[0].count / Page.size
            var encoder = BatchEncoder(
                session: 1,
                configuration: configuration,
                receiver: PageTable(pageCount: pageCount)
            )
            var decoder = BatchDecoder(session: 1, memory: PageTable(pageCount: pageCount))
            for (step, image) in images.enumerated() {
                let target = PageTable(image: image)
                let sums = try Self.transfer(target, &encoder, &decoder)
                print(sums.line("\(workload) image \(step + 1), \(compression)"))
                pooled[step] += sums
                #expect(
                    MemoryDigestJob(memory: decoder.memory).run()
                        == MemoryDigestJob(memory: target).run()
                )
            }
        }
        for (step, floor) in [4.8, 14.0, 10.0].enumerated() {
            print(pooled[step].line("pooled image \(step + 1), \(compression)"))
            #expect(pooled[step].ratio >= floor)
        }
    }

    /// Sends all pages in which the encoder's receiver differs from `target`; checks each batch.
    private static func transfer(
        _ target: PageTable,
        _ encoder: inout BatchEncoder,
        _ decoder: inout BatchDecoder
    ) throws -> Sums {
        var dirty: [PageVersion] = []
        for index in 0..<target.pageCount {
            let number = PageNumber(UInt32(index))
            let (new, old) = (target[number]!, encoder.receiver[number])
            if old == nil || !equal(new, old!) { dirty.append(PageVersion(number, new)) }
        }
        var sums = Sums()
        for start in stride(from: 0, to: dirty.count, by: 512) {
            let pages = Array(dirty[start..<min(start + 512, dirty.count)])
            let job = encoder.prepare(PageBatch(pages))
            var encoded: EncodedBatch?
            sums.encoding += ContinuousClock().measure { encoded = job.run() }
            encoder.integrate(encoded!)
            var result: Result<DecodedBatch, DecodingFailure>?
            let decoding = decoder.prepare(encoded!.bytes)
            sums.decoding += ContinuousClock().measure { result = decoding.run() }
            let decoded = try result!.get()
            for (update, page) in zip(decoded.updates, pages) {
                #expect(update.number == page.number && equal(update.bytes, page.bytes))
            }
            try decoder.integrate(decoded)
            sums.statistics += encoded!.statistics
        }
        return sums
    }

    private static func equal(_ left: Bytes, _ right: Bytes) -> Bool {
        left.withUnsafeBytes { left in
            right.withUnsafeBytes { PageComparison.equal(left, $0) }
        }
    }

    /// The three images in a file: one zstd frame with a window of up to 256 MiB.
    private static func images(_ file: URL) throws -> [Bytes] {
        let packed = try Data(contentsOf: file)
        let size = 3 * 64 << 20
        let context = try #require(ZSTD_createDCtx())
        defer { ZSTD_freeDCtx(context) }
        ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, 28)
        let images = [UInt8](unsafeUninitializedCapacity: size) { target, count in
            packed.withUnsafeBytes { source in
                count = ZSTD_decompressDCtx(
                    context,
                    target.baseAddress,
                    size,
                    source.baseAddress,
                    source.count
                )
            }
            if ZSTD_isError(count) != 0 { count = 0 }
        }
        try #require(images.count == size)
        return (0..<3).map { images[$0 * (size / 3)..<($0 + 1) * (size / 3)] }
    }
}
