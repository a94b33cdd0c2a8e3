/// What `/proc/PID/maps` says about an address space (proc(5)).
package enum ProcessMaps {
    package struct Mapping: Hashable {
        package var start: UInt64
        package var end: UInt64
        package var isPrivate: Bool
        /// Backed by no file, so that a page never touched is a page of zeros.
        package var isAnonymous: Bool
        package var label: String

        package var pageCount: Int { Int((end - start) / UInt64(MemoryDataSet.pageSize)) }
    }

    /// The writable mappings in address order, without devices, whose memory is not the process's.
    ///
    /// Returns `nil` when a line is not what proc(5) describes, or the ranges are not whole pages in
    /// ascending order.
    package static func writable(in text: some StringProtocol) -> [Mapping]? {
        var mappings: [Mapping] = []
        var lastEnd: UInt64 = 0
        for line in text.utf8.split(separator: UInt8(ascii: "\n")) {
            guard let line = Line(line), line.start >= lastEnd else { return nil }
            lastEnd = line.end
            if line.isWritable, !line.isDevice { mappings.append(line.mapping) }
        }
        return mappings
    }

    /// `start-end perms offset device inode  path`.
    private struct Line {
        var start: UInt64
        var end: UInt64
        var permissions: [UInt8]
        var inode: Substring
        var path: String

        init?(_ bytes: some Collection<UInt8>) {
            let text = Substring(decoding: bytes, as: UTF8.self)
            let fields = text.split(separator: " ", maxSplits: 5, omittingEmptySubsequences: true)
            guard fields.count >= 5 else { return nil }
            let range = fields[0].split(separator: "-", omittingEmptySubsequences: false)
            let pageMask = UInt64(MemoryDataSet.pageSize - 1)
            guard range.count == 2,
                let start = UInt64(range[0], radix: 16),
                let end = UInt64(range[1], radix: 16),
                start < end, start & pageMask == 0, end & pageMask == 0,
                fields[1].utf8.count == 4
            else { return nil }
            self.start = start
            self.end = end
            permissions = Array(fields[1].utf8)
            inode = fields[4]
            path = fields.count > 5 ? String(fields[5].drop { $0 == " " }) : ""
        }

        var isWritable: Bool {
            permissions[0] == UInt8(ascii: "r") && permissions[1] == UInt8(ascii: "w")
        }

        var isDevice: Bool {
            path.hasPrefix("/dev/") && !path.hasPrefix("/dev/shm/") && !path.hasPrefix("/dev/zero")
        }

        var mapping: Mapping {
            Mapping(
                start: start,
                end: end,
                isPrivate: permissions[3] == UInt8(ascii: "p"),
                isAnonymous: inode == "0",
                label: path
            )
        }
    }
}
