import Foundation

/// A socket at which a process listens for TCP connections or has bound a UDP port, as `/proc` shows
/// it.
public struct ListeningSocket: Hashable, Sendable, CustomStringConvertible {
    /// `tcp`, `tcp6`, `udp` or `udp6`.
    public var family: String
    public var port: UInt16
    /// Tells the socket from a later one at the same port.
    public var inode: UInt64

    public var description: String { "\(family) \(port)" }

    private static let families = ["tcp", "tcp6", "udp", "udp6"]

    /// Those of one process, by port; none when it has ended.
    public static func all(of pid: Int32) -> [ListeningSocket] {
        let folder = "/proc/\(pid)/fd"
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        let inodes = names.compactMap { name -> UInt64? in
            let path = "\(folder)/\(name)"
            guard let target = try? FileManager.default.destinationOfSymbolicLink(atPath: path),
                target.hasPrefix("socket:["), target.hasSuffix("]")
            else { return nil }
            return UInt64(target.dropFirst("socket:[".count).dropLast())
        }
        let own = Set(inodes)
        return onHost().filter { own.contains($0.inode) }
    }

    /// Which of `sockets` still exist, whoever holds them.
    public static func remaining(of sockets: [ListeningSocket]) -> [ListeningSocket] {
        let open = Set(onHost())
        return sockets.filter { open.contains($0) }
    }

    private static func onHost() -> [ListeningSocket] {
        families.flatMap { family in
            let text = try? String(contentsOfFile: "/proc/net/\(family)", encoding: .utf8)
            return (text ?? "").split(separator: "\n").dropFirst()
                .compactMap { ListeningSocket(family: family, line: $0) }
        }.sorted { ($0.port, $0.family) < ($1.port, $1.family) }
    }

    /// A line of `/proc/net/tcp` or `udp` (proc(5)): fields 2 (`address:port`, hexadecimal),
    /// 3 (remote), 4 (state) and 10 (inode). UDP sockets that are connected have a remote port.
    package init?(family: String, line: some StringProtocol) {
        let fields = line.split(separator: " ")
        guard fields.count >= 10, let colon = fields[1].lastIndex(of: ":"),
            let port = UInt16(fields[1][fields[1].index(after: colon)...], radix: 16),
            let inode = UInt64(fields[9])
        else { return nil }
        let isListening =
            family.hasPrefix("tcp") ? fields[3] == "0A" : fields[2].hasSuffix(":0000")
        guard isListening, port != 0 else { return nil }
        self.family = family
        self.port = port
        self.inode = inode
    }
}

/// Locks on files, as `/proc/locks` shows them.
package enum FileLocks {
    /// The paths below `folder` on whose files somebody holds a lock, sorted.
    package static func held(below folder: String) -> [String] {
        let text = (try? String(contentsOfFile: "/proc/locks", encoding: .utf8)) ?? ""
        let locked = Set(text.split(separator: "\n").compactMap { inode(ofLine: $0) })
        guard !locked.isEmpty else { return [] }
        return DataFolder.files(below: folder).filter { path in
            var status = stat()
            guard stat(path, &status) == 0 else { return false }
            return locked.contains(UInt64(status.st_ino))
        }
    }

    /// `1: FLOCK  ADVISORY  WRITE 4711 08:01:123456 0 EOF`; a blocked request has `->` after the
    /// number.
    package static func inode(ofLine line: some StringProtocol) -> UInt64? {
        let fields = line.split(separator: " ")
        guard let place = fields.first(where: { $0.count(where: { $0 == ":" }) == 2 }) else {
            return nil
        }
        return place.split(separator: ":").last.flatMap { UInt64($0) }
    }
}
