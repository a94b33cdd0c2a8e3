import CZstd

/// A zstd decompression context and the buffers of a decoding job; reused between jobs.
///
/// Not synchronised: the pool hands a workspace to one job at a time.
final class DecodingWorkspace: @unchecked Sendable {
    private let context = ZSTD_createDCtx()!
    let structure = Buffer()
    let words = Buffer()
    let literals = Buffer()

    deinit {
        ZSTD_freeDCtx(context)
    }

    /// Decompresses exactly `length` bytes; false when the source does not hold just that.
    func decompress(
        _ source: UnsafeRawBufferPointer,
        into target: UnsafeMutableRawPointer,
        length: Int
    ) -> Bool {
        ZSTD_DCtx_reset(context, ZSTD_reset_session_and_parameters)
        let size = ZSTD_decompressDCtx(
            context,
            target,
            length,
            source.baseAddress,
            source.count
        )
        return size == length
    }
}
