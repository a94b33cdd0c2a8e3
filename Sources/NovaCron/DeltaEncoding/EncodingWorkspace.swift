import CZstd

/// A zstd compression context and the buffers that an encoding job fills; reused between jobs,
/// because creating them costs more than compressing a small batch.
///
/// Not synchronised: the pool hands a workspace to one job at a time.
final class EncodingWorkspace: @unchecked Sendable {
    private let context = ZSTD_createCCtx()!
    let structure = Buffer()
    let words = Buffer()
    let literals = Buffer()
    let output = Buffer()

    deinit {
        ZSTD_freeCCtx(context)
    }

    /// Room for a batch of `pageCount` pages in every buffer.
    func reserve(pageCount: Int) {
        let structureLimit = pageCount * BatchHeader.maximumStructurePerPage
        structure.reserve(structureLimit)
        // The word loop may store one word beyond the last that it keeps.
        words.reserve(pageCount * Page.size + Page.size + Page.wordSize)
        literals.reserve(pageCount * Page.size)
        output.reserve(structureLimit + 2 * pageCount * Page.size + BatchHeader.size)
    }

    /// Compresses into `target`; `nil` when the result would not be shorter than the input.
    func compress(
        _ source: UnsafeRawBufferPointer,
        level: EncodingConfiguration.Compression,
        into target: UnsafeMutableRawPointer
    ) -> Int? {
        guard source.count > 1 else { return nil }
        ZSTD_CCtx_reset(context, ZSTD_reset_session_and_parameters)
        ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, Int32(level.rawValue))
        ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 0)
        // A target of less than the input makes incompressible input fail early.
        let size = ZSTD_compress2(
            context,
            target,
            source.count - 1,
            source.baseAddress,
            source.count
        )
        return ZSTD_isError(size) == 0 ? size : nil
    }
}
