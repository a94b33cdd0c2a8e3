import Foundation
package import HardwareModel
import Units

/// Writes and syncs a file of its own in a directory, and removes it.
package struct DiskMeasurement {
    private let path: String
    private let clock = ContinuousClock()

    private static let largeWrite = 32 << 20
    private static let largeCount = 5
    private static let smallCount = 100

    package init(directory: String) {
        path = directory + "/novalab-disk-measurement-\(getpid())"
    }

    package func run() throws(HardwareMeasurementError) -> HardwareProfile.Disk {
        let file = open(path, O_WRONLY | O_CREAT | O_EXCL, 0o600)
        guard file >= 0 else { throw failure("create") }
        defer {
            close(file)
            unlink(path)
        }
        let sync = try lowerQuartile(DiskMeasurement.smallCount, of: 4096, to: file)
        let large = try lowerQuartile(
            DiskMeasurement.largeCount,
            of: DiskMeasurement.largeWrite,
            to: file
        )
        let writing = max(large - sync, large / 20)
        return HardwareProfile.Disk(
            write: HardwareMeasurement.rounded(
                Double(DiskMeasurement.largeWrite) / writing / 1e6
            ),
            fsync: .microseconds(Int64((sync * 1e6).rounded(.up)))
        )
    }

    /// The time, in seconds, of a write of `size` bytes with its fsync: the lower quartile of `count`,
    /// because a writer that waits for a core on a busy machine measures the scheduler.
    private func lowerQuartile(
        _ count: Int,
        of size: Int,
        to file: Int32
    ) throws(HardwareMeasurementError) -> Double {
        // Pages of zeros could be stored as holes.
        let content = [UInt8](repeating: 0x5A, count: size)
        var times: [Double] = []
        for _ in 0..<count {
            let start = clock.now
            var written = 0
            while written < size {
                let result = content.withUnsafeBytes {
                    write(file, $0.baseAddress! + written, size - written)
                }
                guard result > 0 else { throw failure("write") }
                written += result
            }
            guard fsync(file) == 0 else { throw failure("sync") }
            times.append((clock.now - start) / .seconds(1))
        }
        return times.sorted()[count / 4]
    }

    private func failure(_ operation: String) -> HardwareMeasurementError {
        .disk(operation: operation, path: path, code: errno)
    }
}
