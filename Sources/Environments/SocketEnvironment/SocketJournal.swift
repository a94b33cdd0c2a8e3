import Determinism
import Glibc
import Machines

/// The durable records of one node in a file: each record with its length and checksum, synced
/// before it counts.
///
/// A torn tail, left by a crash in the middle of a write, is cut off when the file is opened.
package final class SocketJournal: @unchecked Sendable {
    // Used by one thread at a time: the node's worker thread after `open`.
    private let descriptor: Int32
    /// The longest record in bytes.
    package static let recordLimit = 1 << 24

    /// Opens or makes the file and reads what it holds, oldest first.
    static func open(_ path: String) throws(SocketFailure) -> (SocketJournal, [[UInt8]]) {
        let descriptor = Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw SocketFailure("cannot open the journal \(path): \(SocketJournal.reason)")
        }
        let journal = SocketJournal(descriptor: descriptor)
        let records = try journal.recover()
        return (journal, records)
    }

    private init(descriptor: Int32) {
        self.descriptor = descriptor
    }

    deinit { close(descriptor) }

    /// Appends records and returns once they are on the disk.
    func append(_ records: [[UInt8]]) throws(SocketFailure) {
        for record in records where record.count > SocketJournal.recordLimit {
            throw SocketFailure("a durable record of \(record.count) bytes")
        }
        let bytes = SocketJournal.encoded(records)
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.write(descriptor, $0.baseAddress! + written, bytes.count - written)
            }
            guard count > 0 else {
                if count < 0, errno == EINTR { continue }
                throw SocketFailure("cannot write the journal: \(SocketJournal.reason)")
            }
            written += count
        }
        guard fdatasync(descriptor) == 0 else {
            throw SocketFailure("cannot sync the journal: \(SocketJournal.reason)")
        }
    }

    private func recover() throws(SocketFailure) -> [[UInt8]] {
        var bytes: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = part.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else {
                throw SocketFailure("cannot read the journal: \(SocketJournal.reason)")
            }
            if count == 0 { break }
            bytes += part[..<count]
        }
        let (records, valid) = SocketJournal.decoded(bytes)
        guard ftruncate(descriptor, off_t(valid)) == 0,
            lseek(descriptor, off_t(valid), SEEK_SET) >= 0
        else { throw SocketFailure("cannot repair the journal: \(SocketJournal.reason)") }
        return records
    }

    /// What `append` writes for these records.
    package static func encoded(_ records: [[UInt8]]) -> [UInt8] {
        var writer = WireWriter()
        for record in records {
            writer.write(UInt32(record.count))
            writer.write(SocketJournal.checksum(record))
            writer.write(bytes: record)
        }
        return writer.bytes
    }

    /// The records up to the first that is torn or damaged, and the bytes they take.
    package static func decoded(_ bytes: [UInt8]) -> (records: [[UInt8]], valid: Int) {
        var records: [[UInt8]] = []
        var reader = WireReader(bytes)
        var valid = 0
        while let record = try? SocketJournal.record(from: &reader) {
            records.append(record)
            valid = bytes.count - reader.remaining
        }
        return (records, valid)
    }

    private static func record(from reader: inout WireReader) throws(WireError) -> [UInt8] {
        let count = Int(try reader.read(UInt32.self))
        let expected = try reader.read(UInt64.self)
        guard count <= recordLimit else { throw .tooLarge(length: count, limit: recordLimit) }
        let record = Array(try reader.read(count: count))
        let found = checksum(record)
        guard found == expected else {
            throw .checksumMismatch(expected: expected, found: found)
        }
        return record
    }

    private static func checksum(_ bytes: [UInt8]) -> UInt64 {
        var chain = HashChain(key: 0x6A6F_7572)
        chain.combine(bytes: bytes[...])
        return chain.fingerprint.low
    }

    private static var reason: String { String(cString: strerror(errno)) }
}
