import DeltaEncoding
import Machines
import Testing

// Goal: the wire format stays readable for batches that were written before.
// Method: a fixed history of two batches in which every class occurs. Uncompressed batches must be
// reproduced exactly; the committed compressed batch must decode, because another libzstd may
// compress the same pages differently.
@Suite struct GoldenVectorTests {
    /// Page n of the first batch; page 3 equals page 1.
    private static func page(_ seed: Int) -> [UInt8] {
        (0..<Page.size).map { UInt8(truncatingIfNeeded: ($0 / 16) &* (seed &* 2 + 1)) }
    }

    private static let first: [PageVersion] = [
        PageVersion(PageNumber(0), Bytes(page(0))),
        PageVersion(PageNumber(1), Bytes(page(1))),
        PageVersion(PageNumber(3), Bytes(page(1))),
        PageVersion(PageNumber(6), Page.zero),
    ]

    private static var second: [PageVersion] {
        var patched = page(1)
        patched[8] = 0xEE
        patched[4095] = 0xDD
        return [
            PageVersion(PageNumber(0), Bytes(page(0))),
            PageVersion(PageNumber(1), Bytes(patched)),
            PageVersion(PageNumber(2), Bytes(page(1))),
            PageVersion(PageNumber(5), Bytes(page(2))),
        ]
    }

    private static func batches(
        _ compression: EncodingConfiguration.Compression
    ) -> [EncodedBatch] {
        var encoder = BatchEncoder(
            session: 0x0123_4567_89AB_CDEF,
            configuration: EncodingConfiguration(form: .hierarchical, compression: compression),
            receiver: PageTable(pageCount: 7)
        )
        return [first, second].map { pages in
            let encoded = encoder.prepare(PageBatch(pages)).run()
            encoder.integrate(encoded)
            return encoded
        }
    }

    @Test func uncompressedBatchesAreReproducedExactly() {
        let batches = Self.batches(.none)
        var classes = EncodingStatistics()
        for batch in batches { classes += batch.statistics }
        for pageClass in PageClass.allCases { #expect(classes[pageClass] > 0, "\(pageClass)") }
        for (batch, golden) in zip(batches, Self.uncompressed) {
            #expect(hex(batch.bytes.prefix(golden.start.count / 2)) == golden.start)
            #expect(batch.bytes.count == golden.count)
            #expect(batch.bytes.withUnsafeBytes { Checksum.of($0) } == golden.checksum)
        }
    }

    @Test func committedBatchesDecode() throws {
        var decoder = BatchDecoder(
            session: 0x0123_4567_89AB_CDEF,
            memory: PageTable(pageCount: 7)
        )
        for (golden, pages) in zip(Self.compressed, [Self.first, Self.second]) {
            let decoded = try decoder.prepare(Bytes(bytes(golden))).run().get()
            #expect(decoded.updates == pages)
            try decoder.integrate(decoded)
        }
    }

    private func hex(_ bytes: Bytes) -> String {
        bytes.map { byte in
            let digits = String(byte, radix: 16)
            return digits.count == 1 ? "0" + digits : digits
        }.joined()
    }

    private func bytes(_ hex: String) -> [UInt8] {
        let digits = hex.compactMap { $0.hexDigitValue }
        return stride(from: 0, to: digits.count, by: 2).map {
            UInt8(digits[$0] << 4 | digits[$0 + 1])
        }
    }

    private static let uncompressed: [(start: String, count: Int, checksum: UInt64)] = [
        (
            start: "4844453101000000efcdab89674523010000000000000000000000000000000004000000"
                + "0b0000000b00000000000000000000000020000000200000e6b2068123fdb4d53866d8d1"
                + "f68cdf670001010002000505020001000000000000000000000000000000000101010101"
                + "010101010101010101010102020202020202020202020202020202030303030303030303"
                + "03030303030303040404040404040404",
            count: 8279,
            checksum: 3276738595930610779
        ),
        (
            start: "4844453101000000efcdab89674523010100000000000000000000000000000004000000"
                + "490000004900000010000000100000000010000000100000d86bb01564db66fbdb8cc011"
                + "4032b15e0002020001040305030200000000000000000000000000000000000000000000"
                + "000000000000000000000000000000000000000000000000000000000000000000000000"
                + "0000000080ee00000000000000fdfdfd",
            count: 4261,
            checksum: 10820839745609924265
        ),
    ]

    private static let compressed = [
        """
        4844453101000000efcdab896745230100000000000000000000000000000000040000000b00
        00000b0000000000000000000000002000001e020000e6b2068123fdb4d557482373a72c2f47
        000101000200050502000128b52ffd0018ad1000142000000102030405060708090a0b0c0d0e
        0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f3031323334
        35363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f505152535455565758595a
        5b5c5d5e5f606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f80
        8182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9fa0a1a2a3a4a5a6
        a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcc
        cdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedfe0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2
        f3f4f5f6f7f8f9fafbfcfdfeff000306090c0f1215181b1e2124272a2d303336393c3f424548
        4b4e5154575a5d606366696c6f7275787b7e8184878a8d909396999c9fa2a5a8abaeb1b4b7ba
        bdc0c3c6c9cccfd2d5d8dbdee1e4e7eaedf0f3f6f9fcff0205080b0e1114171a1d202326292c
        2f3235383b3e4144474a4d505356595c5f6265686b6e7174777a7d808386898c8f9295989b9e
        a1a4a7aaadb0b3b6b9bcbfc2c5c8cbced1d4d7dadde0e3e6e9eceff2f5f8fbfe0104070a0d10
        1316191c1f2225282b2e3134373a3d404346494c4f5255585b5e6164676a6d707376797c7f82
        85888b8e9194979a9da0a3a6a9acafb2b5b8bbbec1c4c7cacdd0d3d6d9dcdfe2e5e8ebeef1f4
        f7fafd82009811e01f0011fc097fd56ab5ea0da00a
        """,
        """
        4844453101000000efcdab896745230101000000000000000000000000000000040000004900
        00001b0000001000000010000000001000001d010000d86bb01564db66fbba1e2ef30519ee2c
        28b52ffd0000950000600002020001040305030200800100928017ee00000000000000fdfdfd
        fdfdfdfddd28b52ffd0010a5080014100000050a0f14191e23282d32373c41464b50555a5f64
        696e73787d82878c91969ba0a5aaafb4b9bec3c8cdd2d7dce1e6ebf0f5faff04090e13181d22
        272c31363b40454a4f54595e63686d72777c81868b90959a9fa4a9aeb3b8bdc2c7ccd1d6dbe0
        e5eaeff4f9fe03080d12171c21262b30353a3f44494e53585d62676c71767b80858a8f94999e
        a3a8adb2b7bcc1c6cbd0d5dadfe4e9eef3f8fd02070c11161b20252a2f34393e43484d52575c
        61666b70757a7f84898e93989da2a7acb1b6bbc0c5cacfd4d9dee3e8edf2f7fc01060b10151a
        1f24292e33383d42474c51565b60656a6f74797e83888d92979ca1a6abb0b5babfc4c9ced3d8
        dde2e7ecf1f6fb81009810f0070010fec40fd5aa55eb14a4
        """,
    ]
}
