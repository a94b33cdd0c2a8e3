/// How a sender encodes pages.
public struct EncodingConfiguration: Hashable, Sendable {
    /// Which of the page classes may be used.
    public var form: Form
    /// How hard batches are compressed.
    public var compression: Compression

    public enum Form: String, Hashable, Sendable, CaseIterable, Codable {
        /// Every page travels as it is; framing and checksums stay.
        case literal
        /// Zero, unchanged, duplicate, word-masked delta and literal pages.
        case hierarchical
    }

    /// The zstd level; the raw value is the number a user writes.
    public enum Compression: Int, Hashable, Sendable, CaseIterable, Codable {
        case none = 0
        case level1 = 1
        case level3 = 3
        case level9 = 9
    }

    public init(form: Form, compression: Compression) {
        self.form = form
        self.compression = compression
    }

    /// Pages as they are, uncompressed: what a migration without any encoding sends.
    public static let raw = EncodingConfiguration(form: .literal, compression: .none)
}
