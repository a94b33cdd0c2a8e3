import Determinism
public import Machines
public import Transport
import Units

/// The bytes of an endless transfer: seeded noise of which each chunk shows another part, so that a
/// chunk that is lost, repeated, cut or misplaced differs from the one that belongs there.
///
/// Noise, because a steady transfer measures the network; no coder may gain on it.
public struct BulkContent: Sendable {
    private static let size = 4 << 20
    private let block: [UInt8]

    public init(seed: UInt64) {
        var random = SeededRandom(
            seed: seed,
            entity: EntityID(.experiment, 0),
            purpose: "bulk content"
        )
        block = [UInt8](unsafeUninitializedCapacity: BulkContent.size) { buffer, count in
            let words = UnsafeMutableRawBufferPointer(buffer)
            for offset in stride(from: 0, to: BulkContent.size, by: 8) {
                words.storeBytes(
                    of: random.next().littleEndian,
                    toByteOffset: offset,
                    as: UInt64.self
                )
            }
            count = BulkContent.size
        }
    }

    /// The bytes of one chunk: a slice, nothing is copied. `size` is at most 1 MiB.
    public func chunk(_ number: UInt64, size: Int) -> Bytes {
        let places = UInt64(BulkContent.size - (1 << 20))
        let offset = Int((number &* 40_503) % places)
        return block[offset..<offset + size]
    }

    /// Whether a payload holds exactly the chunk's bytes.
    public func matches(_ payload: Payload, chunk number: UInt64) -> Bool {
        payload.holdsSameBytes(as: Payload(chunk(number, size: payload.count)))
    }
}
