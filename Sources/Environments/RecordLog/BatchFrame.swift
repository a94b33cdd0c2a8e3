import Determinism
import Machines

/// How one batch of records lies in a segment: a header, the records each with its length, a trailer.
///
/// | offset | bytes | |
/// |---|---|---|
/// | 0 | 4 | the text `BTCH` |
/// | 4 | 4 | number of records |
/// | 8 | 4 | bytes of the records with their lengths |
/// | 12 | 4 | sectors inside them that hold nothing but zeros |
/// | 16 | 8 | sequence number of the batch |
/// | 24 | 8 | checksum of the header, the log's identity, the segment and the place in it |
/// | 32 | | for each record four bytes of length, then the record |
/// | | 8 | checksum of header and records, chained with that of the batch before |
///
/// The trailer is the commit mark: without a right one no record of the batch counts. First and last
/// byte of header and trailer are never zero, so that in whatever way sectors cut a frame, a sector of
/// zeros that the header does not count was never written. That tells a write which a crash cut short
/// from damage to bytes that were there (after etcd's write-ahead log, `isTornEntry`).
struct BatchFrame {
    static let headerLength = 32
    static let trailerLength = 8

    var recordCount: UInt32
    var payloadLength: UInt32
    var zeroSectors: UInt32
    var sequence: UInt64

    var length: Int { BatchFrame.headerLength + Int(payloadLength) + BatchFrame.trailerLength }

    /// Where a frame lies; part of its checksum, so that bytes which a disk put elsewhere do not pass.
    struct Place {
        var identity: UInt64
        var segment: UInt64
        var offset: Int
    }

    /// Writes the header of a frame at `place` over the bytes from `start` on.
    func encodeHeader(for place: Place, into bytes: inout [UInt8], at start: Int) {
        bytes.withUnsafeMutableBytes { bytes in
            let header = UnsafeMutableRawBufferPointer(
                rebasing: bytes[start..<start + BatchFrame.headerLength]
            )
            header.copyBytes(from: BatchFrame.marker)
            header.storeBytes(of: recordCount.littleEndian, toByteOffset: 4, as: UInt32.self)
            header.storeBytes(of: payloadLength.littleEndian, toByteOffset: 8, as: UInt32.self)
            header.storeBytes(of: zeroSectors.littleEndian, toByteOffset: 12, as: UInt32.self)
            header.storeBytes(of: sequence.littleEndian, toByteOffset: 16, as: UInt64.self)
            let checked = UnsafeRawBufferPointer(rebasing: header[..<24])
            let checksum = BatchFrame.headerChecksum(of: checked, at: place)
            header.storeBytes(of: checksum.littleEndian, toByteOffset: 24, as: UInt64.self)
        }
    }

    /// The header at `place`; `nil` when the bytes there are none.
    init?(_ bytes: Bytes, at place: Place) {
        let start = bytes.startIndex + place.offset
        guard start + BatchFrame.headerLength <= bytes.endIndex else { return nil }
        let header = bytes[start..<start + BatchFrame.headerLength]
        guard header.starts(with: BatchFrame.marker) else { return nil }
        var reader = WireReader(header.dropFirst(BatchFrame.marker.count))
        do throws(WireError) {
            recordCount = try reader.read()
            payloadLength = try reader.read()
            zeroSectors = try reader.read()
            sequence = try reader.read()
            let checksum = try reader.read(UInt64.self)
            let expected = header.dropLast(8).withUnsafeBytes {
                BatchFrame.headerChecksum(of: $0, at: place)
            }
            guard checksum == expected else { return nil }
        } catch {
            return nil
        }
    }

    init(recordCount: UInt32, payloadLength: UInt32, sequence: UInt64) {
        self.recordCount = recordCount
        self.payloadLength = payloadLength
        zeroSectors = 0
        self.sequence = sequence
    }

    /// The chained checksum over header and records.
    static func trailer(of bytes: Bytes, after chain: UInt64) -> UInt64 {
        var hash = HashChain(key: chain)
        hash.combine(bytes: bytes)
        return hash.fingerprint.low | 0x0100_0000_0000_0001
    }

    static let marker = Array("BTCH".utf8)

    private static func headerChecksum(
        of bytes: UnsafeRawBufferPointer,
        at place: Place
    ) -> UInt64 {
        var hash = HashChain(key: place.identity)
        hash.combine(place.segment)
        hash.combine(Int64(place.offset))
        hash.combine(bytes: bytes)
        return hash.fingerprint.low | 0x0100_0000_0000_0000
    }
}

/// Looks for sectors that hold nothing but zeros.
enum SectorScan {
    /// How many of the sectors that `range` of a file touches are zero as far as they lie in it.
    /// `bytes` begins at the file's offset `origin`.
    static func zeroSectors(_ bytes: Bytes, in range: Range<Int>, origin: Int = 0) -> Int {
        var count = 0
        var start = range.lowerBound
        while start < range.upperBound {
            let end = min(range.upperBound, (start / BatchWrite.sector + 1) * BatchWrite.sector)
            let first = bytes.startIndex + start - origin
            if bytes[first..<first + end - start].allSatisfy({ $0 == 0 }) { count += 1 }
            start = end
        }
        return count
    }
}
