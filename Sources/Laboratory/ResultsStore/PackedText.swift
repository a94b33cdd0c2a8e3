internal import CZstd
import Foundation

/// A value as JSON, compressed with Zstandard (RFC 8878): for what is only read whole.
///
/// Bytes from a file never trap: a blob that does not unpack to the JSON of such a value is refused.
package enum PackedText {
    /// No blob unpacks to more than this, whatever its frame header claims.
    package static let sizeLimit = 1 << 28

    package static func pack(_ value: some Encodable) -> [UInt8] {
        let bytes = Array(ArchivedText.encoded(value).utf8)
        let capacity = ZSTD_compressBound(bytes.count)
        return [UInt8](unsafeUninitializedCapacity: capacity) { buffer, count in
            let size = ZSTD_compress(buffer.baseAddress, capacity, bytes, bytes.count, 3)
            // The only failure is a buffer below the bound that the library itself gave.
            precondition(ZSTD_isError(size) == 0, "Zstandard failed on \(bytes.count) bytes")
            count = size
        }
    }

    package static func unpack<Value: Decodable>(_ type: Value.Type, _ blob: [UInt8]) -> Value? {
        let claimed = ZSTD_getFrameContentSize(blob, blob.count)
        guard claimed <= UInt64(sizeLimit) else { return nil }
        let size = Int(claimed)
        var isComplete = false
        let bytes = [UInt8](unsafeUninitializedCapacity: max(1, size)) { buffer, filled in
            let written = ZSTD_decompress(buffer.baseAddress, size, blob, blob.count)
            isComplete = ZSTD_isError(written) == 0 && written == size
            filled = isComplete ? size : 0
        }
        guard isComplete else { return nil }
        return ArchivedText.decoded(type, String(decoding: bytes, as: UTF8.self))
    }
}
