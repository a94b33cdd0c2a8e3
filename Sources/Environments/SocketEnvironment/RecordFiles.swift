import Glibc
package import Machines
import RecordLog

/// The durable records of one node in a folder: a record log's segments as files.
///
/// A batch is acknowledged when its bytes are synced, and the folder too when it began a file. Files of
/// superseded segments are removed only then. Opening syncs what it read before anybody acts on it: a
/// killed process leaves bytes that the system has and the disk has not.
package final class RecordFiles: @unchecked Sendable {
    // Used by one thread at a time: the node's disk thread after `open`.
    private let folder: String
    private let folderDescriptor: Int32
    private var writer: SegmentWriter
    /// The segments there are, oldest first; the last one is being written.
    private var segments: [UInt64]
    /// Of the segment being written; negative without one.
    private var descriptor: Int32 = -1
    /// Set by the first failure: what it left in the file and in the system's cache is unknown, and a
    /// sync that is tried again succeeds without having written ("Can Applications Recover from fsync
    /// Failures?", USENIX ATC'20).
    private var hasFailed = false

    /// Opens or makes the folder, recovers what it holds and makes the repairs durable.
    ///
    /// - Parameter identity: tells this log from others; a folder of another one is refused.
    /// - Returns: The log and its records, oldest first.
    package static func open(
        _ folder: String,
        identity: UInt64
    ) throws(StorageFailure) -> (RecordFiles, [Bytes]) {
        try makeFolder(folder)
        let descriptor = Glibc.open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw StorageFailure(errno, "open", folder) }
        let files: RecordFiles
        let log: RecoveredLog
        do throws(StorageFailure) {
            var images: [SegmentImage] = []
            for name in try segments(in: folder) {
                let path = RecordFiles.path(of: name, in: folder)
                images.append(
                    SegmentImage(firstSequence: name, bytes: try RecordFiles.read(path))
                )
            }
            do throws(RecoveryFailure) {
                log = try RecordRecovery.recover(images, identity: identity)
            } catch {
                throw StorageFailure.refused(path: folder, error)
            }
            files = RecordFiles(
                folder,
                descriptor,
                log.continuation,
                images.map(\.firstSequence)
            )
        } catch {
            close(descriptor)
            throw error
        }
        // From here on the folder's descriptor is closed with `files`.
        try files.repair(log.repairs)
        return (files, log.records)
    }

    private init(
        _ folder: String,
        _ folderDescriptor: Int32,
        _ writer: SegmentWriter,
        _ segments: [UInt64]
    ) {
        self.folder = folder
        self.folderDescriptor = folderDescriptor
        self.writer = writer
        self.segments = segments
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
        close(folderDescriptor)
    }

    /// Appends a batch and returns once it is durable. After a failure every call fails: the node has to
    /// end, and the next process to recover.
    package func append(
        _ records: [[UInt8]],
        supersedesEarlier: Bool = false
    ) throws(StorageFailure) {
        guard !hasFailed else { throw .ended(path: folder) }
        var total = 0
        for record in records {
            guard record.count <= SegmentWriter.recordLimit else {
                throw .tooLarge(bytes: record.count, limit: SegmentWriter.recordLimit)
            }
            total += 4 + record.count
        }
        guard total <= SegmentWriter.batchLimit else {
            throw .tooLarge(bytes: total, limit: SegmentWriter.batchLimit)
        }
        hasFailed = true
        try write(writer.append(records, supersedesEarlier: supersedesEarlier))
        hasFailed = false
    }

    private func write(_ batch: BatchWrite) throws(StorageFailure) {
        let path = RecordFiles.path(of: batch.segment, in: folder)
        if batch.beginsSegment {
            if descriptor >= 0 { close(descriptor) }
            descriptor = Glibc.open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
            guard descriptor >= 0 else { throw StorageFailure(errno, "create", path) }
            if segments.last != batch.segment { segments.append(batch.segment) }
        }
        var written = 0
        while written < batch.bytes.count {
            let count = batch.bytes.withUnsafeBytes {
                pwrite(
                    descriptor,
                    $0.baseAddress! + written,
                    batch.bytes.count - written,
                    off_t(batch.offset + written)
                )
            }
            guard count > 0 else {
                if count < 0, errno == EINTR { continue }
                throw StorageFailure(count < 0 ? errno : EIO, "write", path)
            }
            written += count
        }
        guard fdatasync(descriptor) == 0 else { throw StorageFailure(errno, "sync", path) }
        if batch.beginsSegment { try syncFolder() }
        if batch.supersedesEarlier { removeAll(but: batch.segment) }
    }

    /// Superseded segments harm nobody, so that one that stays goes with the next opening.
    private func removeAll(but segment: UInt64) {
        for other in segments where other != segment {
            unlink(RecordFiles.path(of: other, in: folder))
        }
        segments = [segment]
    }

    // MARK: Opening

    private func repair(_ repairs: [LogRepair]) throws(StorageFailure) {
        for repair in repairs {
            switch repair {
            case .cut(let segment, let length):
                let path = RecordFiles.path(of: segment, in: folder)
                guard truncate(path, off_t(length)) == 0 else {
                    throw StorageFailure(errno, "cut", path)
                }
            case .remove(let segment):
                let path = RecordFiles.path(of: segment, in: folder)
                guard unlink(path) == 0 else { throw StorageFailure(errno, "remove", path) }
                segments.removeAll { $0 == segment }
            }
        }
        for segment in segments {
            let path = RecordFiles.path(of: segment, in: folder)
            let file = Glibc.open(path, O_WRONLY | O_CLOEXEC)
            guard file >= 0 else { throw StorageFailure(errno, "open", path) }
            guard fdatasync(file) == 0 else {
                let failure = StorageFailure(errno, "sync", path)
                close(file)
                throw failure
            }
            if segment == segments.last { descriptor = file } else { close(file) }
        }
        try syncFolder()
    }

    private func syncFolder() throws(StorageFailure) {
        guard fsync(folderDescriptor) == 0 else { throw StorageFailure(errno, "sync", folder) }
    }

    private static func makeFolder(_ folder: String) throws(StorageFailure) {
        let existing = Glibc.open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        if existing >= 0 {
            Glibc.close(existing)
            return
        }
        guard errno != ENOTDIR else { throw .earlierFormat(path: folder) }
        guard mkdir(folder, 0o700) == 0 || errno == EEXIST else {
            throw StorageFailure(errno, "make", folder)
        }
        let above = Glibc.open("\(folder)/..", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard above >= 0 else { throw StorageFailure(errno, "open", folder) }
        defer { close(above) }
        guard fsync(above) == 0 else { throw StorageFailure(errno, "sync", folder) }
    }

    private static let suffix = ".segment"

    /// Sixteen hexadecimal digits: the number of the first batch.
    package static func path(of segment: UInt64, in folder: String) -> String {
        let digits = String(segment, radix: 16)
        let zeros = String(repeating: "0", count: 16 - digits.count)
        return "\(folder)/\(zeros)\(digits)\(suffix)"
    }

    /// The segments in the folder, ascending.
    private static func segments(in folder: String) throws(StorageFailure) -> [UInt64] {
        guard let stream = opendir(folder) else { throw StorageFailure(errno, "list", folder) }
        defer { closedir(stream) }
        var result: [UInt64] = []
        while true {
            errno = 0
            guard let entry = readdir(stream) else {
                guard errno == 0 else { throw StorageFailure(errno, "list", folder) }
                return result.sorted()
            }
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            guard name.hasSuffix(suffix),
                let number = UInt64(name.dropLast(suffix.count), radix: 16),
                path(of: number, in: folder) == "\(folder)/\(name)"
            else { continue }
            result.append(number)
        }
    }

    private static func read(_ path: String) throws(StorageFailure) -> [UInt8] {
        let file = Glibc.open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw StorageFailure(errno, "open", path) }
        defer { close(file) }
        var bytes: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = part.withUnsafeMutableBytes { Glibc.read(file, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw StorageFailure(errno, "read", path) }
            if count == 0 { return bytes }
            bytes += part[..<count]
        }
    }
}
