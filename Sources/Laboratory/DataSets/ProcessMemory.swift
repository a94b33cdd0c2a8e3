import Glibc

/// Reads a stopped process's writable memory into a pool.
package struct ProcessMemory: ~Copyable {
    private let pid: Int32
    private let memory: Int32
    /// Which pages were ever touched; absent where the kernel does not tell.
    private let pagemap: Int32?
    private let limit: Int
    private let buffer: UnsafeMutableRawBufferPointer

    private static let pagesAtOnce = 256

    /// - Parameter limit: the most pages of address space that are read.
    package init(pid: Int32, limit: Int) throws(DataSetError) {
        let memory = open("/proc/\(pid)/mem", O_RDONLY | O_CLOEXEC)
        guard memory >= 0 else {
            switch errno {
            case EACCES, EPERM: throw .notPermitted(pid: pid)
            case ENOENT, ESRCH: throw .noSuchProcess(pid: pid)
            default:
                throw .unreadableProcess(
                    path: "/proc/\(pid)/mem",
                    reason: FileAccess.lastError()
                )
            }
        }
        self.pid = pid
        self.memory = memory
        self.limit = limit
        let pagemap = open("/proc/\(pid)/pagemap", O_RDONLY | O_CLOEXEC)
        self.pagemap = pagemap >= 0 ? pagemap : nil
        buffer = .allocate(
            byteCount: ProcessMemory.pagesAtOnce * MemoryDataSet.pageSize,
            alignment: MemoryDataSet.pageSize
        )
    }

    deinit {
        close(memory)
        if let pagemap { close(pagemap) }
        buffer.deallocate()
    }

    /// The pages of every writable mapping, in address order.
    ///
    /// A page that cannot be read (a file mapping beyond the file's end, a device's memory) counts
    /// as zeros: the process itself would get a signal there.
    package func snapshot(into pool: inout PagePool) throws(DataSetError) -> [AddressSpace.Extent] {
        var extents: [AddressSpace.Extent] = []
        var total = 0
        for mapping in try mappings() {
            total += mapping.pageCount
            guard total <= limit else {
                throw .tooLarge(
                    what: "the writable memory of process \(pid)",
                    limit: "\(limit * MemoryDataSet.pageSize >> 20) MiB"
                )
            }
            extents.append(read(mapping, into: &pool))
        }
        guard total > 0 else { throw .noSuchProcess(pid: pid) }
        return extents
    }

    private func mappings() throws(DataSetError) -> [ProcessMaps.Mapping] {
        let path = "/proc/\(pid)/maps"
        var reader = ByteReader(descriptor: try FileAccess.open(path), .none)
        var text: [UInt8] = []
        do throws(ByteReader.Failure) {
            while true {
                let count = try reader.fill(buffer)
                text += buffer[..<count]
                if count < buffer.count { break }
            }
        } catch {
            throw .unreadableProcess(path: path, reason: "\(error)")
        }
        guard let mappings = ProcessMaps.writable(in: String(decoding: text, as: UTF8.self)) else {
            throw .unreadableProcess(path: path, reason: "a line has an unknown form")
        }
        return mappings
    }

    private func read(
        _ mapping: ProcessMaps.Mapping,
        into pool: inout PagePool
    ) -> AddressSpace.Extent {
        var pages: [UInt32] = []
        pages.reserveCapacity(mapping.pageCount)
        for first in stride(from: 0, to: mapping.pageCount, by: ProcessMemory.pagesAtOnce) {
            let count = min(ProcessMemory.pagesAtOnce, mapping.pageCount - first)
            let address = mapping.start + UInt64(first * MemoryDataSet.pageSize)
            // Reserved memory that was never touched is skipped, not read as zeros.
            if mapping.isPrivate, mapping.isAnonymous, !isTouched(address, count) {
                pages += repeatElement(PagePool.zeroPage, count: count)
                continue
            }
            readPages(at: address, count: count)
            for page in 0..<count {
                let start = page * MemoryDataSet.pageSize
                pages.append(
                    pool.intern(
                        UnsafeRawBufferPointer(
                            rebasing: buffer[start..<start + MemoryDataSet.pageSize]
                        )
                    )
                )
            }
        }
        return AddressSpace.Extent(address: mapping.start, label: mapping.label, pages: pages)
    }

    /// Fills the buffer from an address; falls back to single pages where the range has holes.
    private func readPages(at address: UInt64, count: Int) {
        let size = count * MemoryDataSet.pageSize
        if pread(memory, buffer.baseAddress, size, Int(bitPattern: UInt(address))) == size {
            return
        }
        for page in 0..<count {
            let start = page * MemoryDataSet.pageSize
            let target = buffer.baseAddress! + start
            let offset = Int(bitPattern: UInt(address)) + start
            if pread(memory, target, MemoryDataSet.pageSize, offset) != MemoryDataSet.pageSize {
                memset(target, 0, MemoryDataSet.pageSize)
            }
        }
    }

    /// Whether any page of a range is in memory or swapped out (bits 63 and 62 of its entry in
    /// `/proc/PID/pagemap`); true when the kernel does not say.
    private func isTouched(_ address: UInt64, _ count: Int) -> Bool {
        guard let pagemap else { return true }
        var entries = [UInt64](repeating: 0, count: count)
        let offset = Int(address / UInt64(MemoryDataSet.pageSize)) * 8
        let read = entries.withUnsafeMutableBytes {
            pread(pagemap, $0.baseAddress, $0.count, offset)
        }
        guard read == count * 8 else { return true }
        return entries.contains { $0 >> 62 != 0 }
    }
}
