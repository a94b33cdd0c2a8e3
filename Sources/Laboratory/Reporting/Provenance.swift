/// Where figures come from: the code that was built and the machine it ran on.
public struct Provenance: Hashable, Sendable {
    public var commit: Known<String>
    /// Whether the work tree differed from the commit.
    public var isDirty: Known<Bool>
    public var compiler: Known<String>
    public var processor: Known<String>
    public var coreCount: Int
    public var kernel: Known<String>
    /// The system's settings of TCP, sorted by name.
    public var settings: [Setting]

    /// A statement about the machine, or why it could not be made. Nothing is ever guessed.
    public enum Known<Value: Hashable & Sendable>: Hashable, Sendable {
        case known(Value)
        case unknown(reason: String)
    }

    /// One sysctl.
    public struct Setting: Hashable, Sendable {
        public var name: String
        public var value: Known<String>

        public init(name: String, value: Known<String>) {
            self.name = name
            self.value = value
        }
    }

    public init(
        commit: Known<String>,
        isDirty: Known<Bool>,
        compiler: Known<String>,
        processor: Known<String>,
        coreCount: Int,
        kernel: Known<String>,
        settings: [Setting]
    ) {
        self.commit = commit
        self.isDirty = isDirty
        self.compiler = compiler
        self.processor = processor
        self.coreCount = coreCount
        self.kernel = kernel
        self.settings = settings
    }
}

extension Provenance.Known: CustomStringConvertible {
    /// The value, or `unknown: reason`.
    public var description: String {
        switch self {
        case .known(let value): "\(value)"
        case .unknown(let reason): "unknown: \(reason)"
        }
    }
}
