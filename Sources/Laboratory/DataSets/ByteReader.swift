import CZstd
import Glibc
package import Machines

/// Reads a file or bytes in memory, through zstd where asked, and fills whole buffers.
///
/// Memory is bounded by the input buffer and the window that a zstd frame may ask for, whatever the
/// input claims. Several frames in a row are read as one stream.
package struct ByteReader: ~Copyable {
    package enum Failure: Error, Hashable {
        case system(reason: String)
        /// The input ended inside a compressed frame.
        case cut
        case corrupt(reason: String)
    }

    package enum Compression {
        case none
        /// Accepts windows of up to 2^`windowLog` bytes.
        case zstd(windowLog: Int32)
    }

    private let descriptor: Int32?
    private let decoder: OpaquePointer?
    /// The bytes in memory, or what was last read from the file.
    private var input: Bytes
    private var isAtEnd: Bool
    private var isInsideFrame = false

    private static let bufferSize = 1 << 18

    /// Takes ownership of an open descriptor.
    init(descriptor: Int32, _ compression: Compression) {
        self.descriptor = descriptor
        input = []
        isAtEnd = false
        decoder = ByteReader.makeDecoder(compression)
    }

    package init(memory: Bytes, _ compression: Compression) {
        descriptor = nil
        input = memory
        isAtEnd = true
        decoder = ByteReader.makeDecoder(compression)
    }

    deinit {
        if let descriptor { close(descriptor) }
        if let decoder { ZSTD_freeDCtx(decoder) }
    }

    private static func makeDecoder(_ compression: Compression) -> OpaquePointer? {
        guard case .zstd(let windowLog) = compression else { return nil }
        guard let decoder = ZSTD_createDCtx() else {
            preconditionFailure("out of memory for a decompressor")
        }
        ZSTD_DCtx_setParameter(decoder, ZSTD_d_windowLogMax, windowLog)
        return decoder
    }

    /// Fills `output` completely unless the input ends first; returns the bytes written.
    package mutating func fill(_ output: UnsafeMutableRawBufferPointer) throws(Failure) -> Int {
        var filled = 0
        while filled < output.count {
            if input.isEmpty { try refill() }
            if input.isEmpty, decoder == nil || !isInsideFrame { return filled }
            let rest = UnsafeMutableRawBufferPointer(rebasing: output[filled...])
            let produced =
                if let decoder { try decompress(decoder, into: rest) } else { copy(into: rest) }
            // At the end of the input a frame may still hold output back, but never forever.
            if produced == 0, input.isEmpty, isAtEnd, isInsideFrame { throw .cut }
            filled += produced
        }
        return filled
    }

    private mutating func copy(into output: UnsafeMutableRawBufferPointer) -> Int {
        let count = min(output.count, input.count)
        output.copyBytes(from: input.prefix(count))
        input = input.dropFirst(count)
        return count
    }

    private mutating func decompress(
        _ decoder: OpaquePointer,
        into output: UnsafeMutableRawBufferPointer
    ) throws(Failure) -> Int {
        var target = ZSTD_outBuffer(dst: output.baseAddress, size: output.count, pos: 0)
        var consumed = 0
        let hint = input.withUnsafeBytes { bytes in
            var source = ZSTD_inBuffer(src: bytes.baseAddress, size: bytes.count, pos: 0)
            let hint = ZSTD_decompressStream(decoder, &target, &source)
            consumed = source.pos
            return hint
        }
        if ZSTD_isError(hint) != 0 {
            throw .corrupt(reason: String(cString: ZSTD_getErrorName(hint)))
        }
        input = input.dropFirst(consumed)
        isInsideFrame = hint != 0
        return target.pos
    }

    private mutating func refill() throws(Failure) {
        guard !isAtEnd, let descriptor else { return }
        var count = 0
        let buffer = [UInt8](unsafeUninitializedCapacity: ByteReader.bufferSize) { space, used in
            repeat {
                count = read(descriptor, space.baseAddress, space.count)
            } while count < 0 && errno == EINTR
            used = max(0, count)
        }
        if count < 0 { throw .system(reason: String(cString: strerror(errno))) }
        isAtEnd = count == 0
        input = buffer[...]
    }
}

extension ByteReader.Failure: CustomStringConvertible {
    package var description: String {
        switch self {
        case .system(let reason): reason
        case .cut: "it ends inside a compressed frame"
        case .corrupt(let reason): "its compressed data is corrupt (\(reason))"
        }
    }
}
