import DeltaEncoding
public import Foundation
public import HardwareModel
import Machines
import Units

/// Measures what a hardware profile states: how fast one core of this machine does each kind of
/// work, and how fast a directory's disk writes and syncs.
///
/// Speeds come from running the jobs that simulations charge for, on a fixed mix of pages, in CPU
/// time of one thread (the fastest of repeated runs, because whatever else runs on the machine only
/// ever adds time). A job does several kinds of work; the speed of a
/// kind is what remains of the job's time after the kinds measured before it are taken off, so that
/// the profile reproduces the time of whole jobs.
public struct HardwareMeasurement {
    private let sample = SamplePages()
    private var speeds: [WorkKind: Double] = [:]

    private static let batchPages = 512
    private static let repetitions = 7

    /// Measures everything; takes a few seconds of CPU time and writes 160 MiB to `directory`.
    ///
    /// - Parameters:
    ///   - name: the profile's name.
    ///   - directory: an existing directory on the disk to measure; nothing is left behind.
    ///   - date: the calendar date to record.
    ///   - progress: told what is measured next.
    public static func profile(
        name: String,
        directory: String,
        date: Date = Date(),
        progress: (String) -> Void = { _ in }
    ) throws(HardwareMeasurementError) -> HardwareProfile {
        progress("disk in \(directory)")
        let disk = try DiskMeasurement(directory: directory).run()
        var measurement = HardwareMeasurement()
        measurement.run(progress)
        return HardwareProfile(
            name: name,
            measured: HardwareProfile.Provenance(
                machine: MachineDescription.current,
                date: date.formatted(.iso8601.year().month().day()),
                method:
                    "novalab doctor --measure: jobs on \(SamplePages.pageCount) sample pages in thread CPU time, "
                    + "fastest of \(repetitions); 32 MiB and 4 KiB writes with fsync, lower quartile"
            ),
            cores: ProcessInfo.processInfo.activeProcessorCount,
            speeds: HardwareProfile.Speeds { kind in
                HardwareMeasurement.rounded(measurement.speeds[kind]!)
            },
            disk: disk
        )
    }

    private init() {}

    private mutating func run(_ progress: (String) -> Void) {
        // In an order in which each job holds one kind of work not measured yet.
        for kind in [
            WorkKind.copy, .checksum, .compare, .delta, .apply, .zstd1Compress, .zstd3Compress,
            .zstd9Compress, .zstdDecompress,
        ] {
            progress(kind.rawValue)
            speeds[kind] = speed(of: kind)
        }
    }

    private func speed(of kind: WorkKind) -> Double {
        switch kind {
        case .copy: copySpeed()
        case .checksum: residual(kind, [MemoryDigestJob(memory: table(sample.before))])
        case .compare: residual(kind, encoding(sample.before, over: sample.before, .none))
        case .delta: residual(kind, encoding(sample.after, over: sample.before, .none))
        case .apply: residual(kind, decoding(sample.after, over: sample.before, .none))
        case .zstd1Compress: residual(kind, compressing(.level1))
        case .zstd3Compress: residual(kind, compressing(.level3))
        case .zstd9Compress: residual(kind, compressing(.level9))
        case .zstdDecompress:
            residual(
                kind,
                decoding(sample.before, over: [], .level3)
                    + decoding(sample.after, over: sample.before, .level3)
            )
        }
    }

    /// Whole pages and, in equal numbers of pages, the words and masks of deltas.
    private func compressing(_ level: EncodingConfiguration.Compression) -> [EncodeJob] {
        encoding(sample.before, over: [], level)
            + encoding(sample.after, over: sample.before, level)
    }

    private func encoding(
        _ pages: [PageVersion],
        over baseline: [PageVersion],
        _ level: EncodingConfiguration.Compression
    ) -> [EncodeJob] {
        var encoder = BatchEncoder(
            session: 1,
            configuration: EncodingConfiguration(form: .hierarchical, compression: level),
            receiver: table(baseline)
        )
        return stride(from: 0, to: pages.count, by: HardwareMeasurement.batchPages).map { start in
            let end = min(start + HardwareMeasurement.batchPages, pages.count)
            return encoder.prepare(PageBatch(Array(pages[start..<end])))
        }
    }

    private func decoding(
        _ pages: [PageVersion],
        over baseline: [PageVersion],
        _ level: EncodingConfiguration.Compression
    ) -> [DecodeJob] {
        var decoder = BatchDecoder(session: 1, memory: table(baseline))
        return encoding(pages, over: baseline, level).map { encoding in
            let job = decoder.prepare(encoding.run().bytes)
            do throws(DecodingFailure) {
                try decoder.integrate(try job.run().get())
            } catch {
                preconditionFailure("our own batch was rejected: \(error)")
            }
            return job
        }
    }

    private func table(_ pages: [PageVersion]) -> PageTable {
        var table = PageTable(pageCount: SamplePages.pageCount)
        for page in pages { table.set(page) }
        return table
    }

    private func copySpeed() -> Double {
        let count = 32 << 20
        let source = [UInt8](repeating: 1, count: count)
        var target = [UInt8](repeating: 2, count: count)
        let seconds = fastestSeconds {
            // By the page, as the codec copies.
            source.withUnsafeBytes { source in
                target.withUnsafeMutableBytes { target in
                    for start in stride(from: 0, to: count, by: Page.size) {
                        memcpy(
                            target.baseAddress! + start,
                            source.baseAddress! + start,
                            Page.size
                        )
                    }
                }
            }
        }
        return Double(count) / seconds / 1e6
    }

    /// The speed at which `kind` explains the time of `jobs` that the kinds measured so far do not.
    private func residual<Job: Work>(_ kind: WorkKind, _ jobs: [Job]) -> Double {
        var bytes = 0.0
        var explained = 0.0
        for job in jobs {
            for part in job.cost(of: job.run()).parts where part.bytes > .zero {
                if part.kind == kind {
                    bytes += Double(part.bytes.bytes)
                } else if let speed = speeds[part.kind] {
                    explained += Double(part.bytes.bytes) / (speed * 1e6)
                } else {
                    preconditionFailure("\(kind) was measured before \(part.kind)")
                }
            }
        }
        precondition(bytes > 0, "the jobs for \(kind) hold none of it")
        let seconds = fastestSeconds { for job in jobs { _ = job.run() } }
        // Noise can make the other kinds explain everything; no kind is free.
        return bytes / max(seconds - explained, seconds / 20) / 1e6
    }

    /// The least CPU time that this thread needs for `body` in several runs.
    private func fastestSeconds(_ body: () -> Void) -> Double {
        body()
        var fastest = Double.infinity
        for _ in 0..<HardwareMeasurement.repetitions {
            let start = ThreadTime.seconds
            body()
            fastest = min(fastest, ThreadTime.seconds - start)
        }
        return fastest
    }

    /// Three significant digits: more would claim a precision that the measurement does not have.
    static func rounded(_ value: Double) -> Double {
        let scale = pow(10, 2 - floor(log10(value)))
        return (value * scale).rounded() / scale
    }
}

/// Why a measurement could not be made.
public enum HardwareMeasurementError: Error, Hashable, Sendable, CustomStringConvertible {
    /// An operation on the measured directory failed.
    case disk(operation: String, path: String, code: Int32)

    public var description: String {
        switch self {
        case .disk(let operation, let path, let code):
            "cannot \(operation) \(path): \(String(cString: strerror(code)))"
        }
    }
}
