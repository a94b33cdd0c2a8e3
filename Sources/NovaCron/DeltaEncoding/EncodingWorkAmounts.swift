import Machines
import Units

/// Bytes that an encoding pass really handled, by kind of work.
struct EncodingWorkAmounts {
    var compared = 0
    var differenced = 0
    var checksummed = 0
    var copied = 0
    var compressed = 0

    func cost(at level: EncodingConfiguration.Compression) -> WorkCost {
        var cost = WorkCost([
            WorkCost.Part(.compare, ByteCount(compared)),
            WorkCost.Part(.delta, ByteCount(differenced)),
            WorkCost.Part(.checksum, ByteCount(checksummed)),
            WorkCost.Part(.copy, ByteCount(copied)),
        ])
        let kind: WorkKind? =
            switch level {
            case .none: nil
            case .level1: .zstd1Compress
            case .level3: .zstd3Compress
            case .level9: .zstd9Compress
            }
        if let kind { cost.parts.append(WorkCost.Part(kind, ByteCount(compressed))) }
        return cost
    }
}
