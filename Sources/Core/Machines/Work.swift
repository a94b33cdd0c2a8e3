public import Determinism
public import Units

/// A heavy computation that a machine hands out instead of doing it inside a step.
///
/// It is a pure function of its stored inputs. In simulation it runs for real, but its completion
/// arrives after the time that a hardware profile charges for `cost(of:)`, never after the wall time
/// it took; on sockets it runs on worker threads.
public protocol Work: Sendable {
    associatedtype Output: Sendable
    func run() -> Output
    /// What was done, for the hardware profile. It may depend on the output (a zero page costs less
    /// than a literal one), because the output is as deterministic as the input.
    func cost(of output: Output) -> WorkCost
    /// A digest for the run's fingerprint.
    static func digest(of output: Output, into chain: inout HashChain)
}

/// The work of a computation, in the units of a hardware profile.
public struct WorkCost: Hashable, Sendable {
    /// Bytes processed, by kind of work, in the order in which it was done.
    public var parts: [Part]

    public struct Part: Hashable, Sendable {
        public var kind: WorkKind
        public var bytes: ByteCount

        public init(_ kind: WorkKind, _ bytes: ByteCount) {
            self.kind = kind
            self.bytes = bytes
        }
    }

    public init(_ parts: [Part]) {
        self.parts = parts
    }

    public init(_ kind: WorkKind, _ bytes: ByteCount) {
        parts = [Part(kind, bytes)]
    }
}

/// A kind of work that a hardware profile gives a speed in MB/s for one core.
///
/// The raw value is the key in `scenarios/hardware/*.yaml`.
public enum WorkKind: String, Hashable, Sendable, CaseIterable, Codable {
    /// Copying memory.
    case copy
    /// Non-cryptographic checksum of bytes.
    case checksum
    /// Comparing pages with a baseline and looking for zero pages.
    case compare
    /// Building word-masked deltas.
    case delta
    /// Compressing with zstd at the level in the name; bytes are those given to the compressor.
    case zstd1Compress = "zstd-1-compress"
    case zstd3Compress = "zstd-3-compress"
    case zstd9Compress = "zstd-9-compress"
    /// Decompressing zstd; bytes are those produced.
    case zstdDecompress = "zstd-decompress"
    /// Rebuilding pages from their encoded form.
    case apply
}

/// For machines without heavy work.
public enum NoWork: Work {
    public typealias Output = Never
    public func run() -> Never { switch self {} }
    public func cost(of output: Never) -> WorkCost {}
    public static func digest(of output: Never, into chain: inout HashChain) {}
}
