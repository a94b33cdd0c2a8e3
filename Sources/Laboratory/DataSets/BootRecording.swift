import Crypto
import Determinism
import FoundationEssentials

/// How long the components of real boots took: what simulated boots of the same graph are charged.
///
/// A JSON file of a few kilobytes, `NAME.boot.json` in the folder of data sets:
///
/// ```json
/// {"format": "novacron-boots", "version": 1, "name": "lab-vm",
///  "machine": "2 cores", "commit": "c0ffee", "recordedAt": "2026-11-22T12:00:00Z", "boots": 100,
///  "components": [
///    {"name": "configuration", "phase": "pre", "boots": 100,
///     "cpu": {"median": 0.0012, "p95": 0.0015}, "wait": {"median": 0.0001, "p95": 0.0004}}]}
/// ```
/// Times are seconds. `cpu` is processor time of the component, `wait` the rest of its time.
public struct BootRecording: Hashable, Sendable {
    public static let version = 1
    public static let fileSuffix = ".boot.json"
    /// Larger files are refused.
    public static let sizeLimit = 1 << 20
    public static let componentLimit = 1000

    public var name: String
    /// What booted, in words.
    public var machine: String
    public var commit: String
    public var recordedAt: String
    /// At least one.
    public var boots: Int
    /// How the times were measured, in words.
    public var method: String?
    /// From the start of the process to that of the first component.
    public var before: Times?
    /// From the first component's start to READY, without the components: the framework, its journal
    /// and what cannot be told apart.
    public var between: Times?
    /// The processor time in `before`; without it, all of that is waiting.
    public var beforeCPU: Times?
    /// The processor time in `between`, likewise.
    public var betweenCPU: Times?
    public var bootTimes: BootTimes?
    /// In the graph's order; at most `componentLimit`, each name once.
    public var components: [Component]
    /// SHA-256 of the file that it was read from, 64 hexadecimal digits; empty for one made anew.
    public private(set) var digest = ""

    /// From the start of the process to READY.
    public struct BootTimes: Hashable, Sendable, Codable {
        /// One component after the other, as the components' times were measured.
        public var sequential: Times
        /// As soon as dependencies allow, to compare with.
        public var dependencyReady: Times

        public init(sequential: Times, dependencyReady: Times) {
            self.sequential = sequential
            self.dependencyReady = dependencyReady
        }
    }

    public struct Component: Hashable, Sendable, Codable {
        public var name: String
        public var phase: String
        /// Boots in which it was ready; at most those of the recording.
        public var boots: Int
        public var cpu: Times
        public var wait: Times

        public init(name: String, phase: String, boots: Int, cpu: Times, wait: Times) {
            self.name = name
            self.phase = phase
            self.boots = boots
            self.cpu = cpu
            self.wait = wait
        }
    }

    /// In seconds: finite, at least zero, at most a day, and the median not above the other.
    public struct Times: Hashable, Sendable, Codable {
        public var median: Double
        public var p95: Double

        public init(median: Double, p95: Double) {
            self.median = median
            self.p95 = p95
        }
    }

    public init(
        name: String,
        machine: String,
        commit: String,
        recordedAt: String,
        boots: Int,
        components: [Component]
    ) {
        self.name = name
        self.machine = machine
        self.commit = commit
        self.recordedAt = recordedAt
        self.boots = boots
        self.components = components
    }
}

// MARK: - Files

extension BootRecording {
    private struct File: Codable {
        static let format = "novacron-boots"

        var format: String
        var version: UInt32
        var name: String
        var machine: String
        var commit: String
        var recordedAt: String
        var boots: Int
        var method: String?
        var before: Times?
        var between: Times?
        var beforeCPU: Times?
        var betweenCPU: Times?
        var bootTimes: BootTimes?
        var components: [Component]
    }

    /// Reads a recording; errors name `path`.
    public static func parse(
        _ bytes: [UInt8],
        path: String
    ) throws(DataSetError) -> BootRecording {
        guard bytes.count <= sizeLimit else {
            throw .tooLarge(what: path, limit: "\(sizeLimit) bytes")
        }
        // The version comes first: a later one may have other fields.
        struct Head: Decodable {
            var format: String
            var version: UInt32
        }
        let data = Data(bytes)
        guard let head = try? JSONDecoder().decode(Head.self, from: data),
            head.format == File.format
        else { throw .notADataSet(path: path) }
        guard head.version == version else {
            throw .unsupportedVersion(
                path: path,
                found: head.version,
                supported: UInt32(version)
            )
        }
        let file: File
        do {
            file = try JSONDecoder().decode(File.self, from: data)
        } catch {
            throw .damaged(path: path, problem: "a field is missing or of the wrong kind")
        }
        var recording = BootRecording(
            name: file.name,
            machine: file.machine,
            commit: file.commit,
            recordedAt: file.recordedAt,
            boots: file.boots,
            components: file.components
        )
        recording.method = file.method
        recording.before = file.before
        recording.between = file.between
        recording.beforeCPU = file.beforeCPU
        recording.betweenCPU = file.betweenCPU
        recording.bootTimes = file.bootTimes
        if let problem = recording.problem { throw .damaged(path: path, problem: problem) }
        recording.digest = SHA256.hash(data: data).map { byte in
            let digits = String(byte, radix: 16)
            return byte < 16 ? "0\(digits)" : digits
        }.joined()
        return recording
    }

    /// What cannot be true; `nil` when all can.
    private var problem: String? {
        if boots < 1 { return "it has \(boots) boots" }
        if components.isEmpty { return "it has no components" }
        if components.count > BootRecording.componentLimit {
            return "it has \(components.count) components"
        }
        var names: Set<String> = []
        let whole = [
            before, between, beforeCPU, betweenCPU, bootTimes?.sequential,
            bootTimes?.dependencyReady,
        ]
        if whole.contains(where: { $0?.isPossible == false }) {
            return "it has impossible times of whole boots"
        }
        for component in components {
            if !names.insert(component.name).inserted {
                return "component '\(component.name)' is there twice"
            }
            if !(1...boots).contains(component.boots) {
                return "component '\(component.name)' was ready in \(component.boots) boots"
            }
            for times in [component.cpu, component.wait] where !times.isPossible {
                return "component '\(component.name)' has times of \(times.median) s and "
                    + "\(times.p95) s"
            }
        }
        return nil
    }

    /// The file's bytes: keys sorted, one component a few lines, so that changes can be read.
    public var bytes: [UInt8] {
        let file = File(
            format: File.format,
            version: UInt32(BootRecording.version),
            name: name,
            machine: machine,
            commit: commit,
            recordedAt: recordedAt,
            boots: boots,
            method: method,
            before: before,
            between: between,
            beforeCPU: beforeCPU,
            betweenCPU: betweenCPU,
            bootTimes: bootTimes,
            components: components
        )
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        // Numbers were checked to be finite when they were read; own figures are.
        guard let data = try? encoder.encode(file) else {
            preconditionFailure("a boot recording with figures that are no numbers")
        }
        return Array(data) + [0x0A]
    }
}

extension BootRecording.Times {
    fileprivate var isPossible: Bool {
        median.isFinite && p95.isFinite && median >= 0 && p95 >= median && p95 <= 86_400
    }

    /// The deviation of the logarithm of a lognormal distribution with this median and 95 % quantile;
    /// zero where the median is zero.
    public var sigma: Double {
        guard median > 0, p95 > median else { return 0 }
        // The 95 % quantile of the standard normal distribution.
        return min(2, DeterministicMath.log(p95 / median) / 1.644_853_626_951_472_7)
    }
}

extension DataSetCatalogue {
    /// The recording of boots with this name, from the committed folder or the captured one.
    public func bootRecording(_ name: String) throws(DataSetError) -> BootRecording {
        try DataSetCatalogue.check(name: name)
        for folder in ["\(folder)/captured", folder] {
            let path = "\(folder)/\(name)\(BootRecording.fileSuffix)"
            guard FileAccess.exists(path) else { continue }
            let bytes = try FileAccess.read(path, limit: BootRecording.sizeLimit + 1)
            return try BootRecording.parse(bytes, path: path)
        }
        throw .notFound(name: name, known: bootRecordings)
    }

    /// The names of all recordings of boots, sorted.
    public var bootRecordings: [String] {
        let files = FileAccess.names(in: "\(folder)/captured") + FileAccess.names(in: folder)
        let names = files.filter { $0.hasSuffix(BootRecording.fileSuffix) }
            .map { String($0.dropLast(BootRecording.fileSuffix.count)) }
        return Set(names).sorted()
    }

    /// Writes a recording under its name into the committed folder; returns the path.
    public func keep(_ recording: BootRecording) throws(DataSetError) -> String {
        try DataSetCatalogue.check(name: recording.name)
        let path = "\(folder)/\(recording.name)\(BootRecording.fileSuffix)"
        try FileAccess.writeAtomically(recording.bytes, to: path)
        return path
    }
}
