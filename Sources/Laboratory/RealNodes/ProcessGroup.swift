import Foundation

/// The processes of one group, as `/proc` shows them.
struct ProcessGroup {
    private let number: Int32

    init(_ number: Int32) {
        self.number = number
    }

    /// Whether a member runs; those that have ended and were not reaped do not count.
    var isAlive: Bool {
        // Without members, which is the usual case, there is nothing to read.
        guard kill(-number, 0) == 0 || errno == EPERM else { return false }
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return names.contains { name in
            guard Int32(name) != nil,
                let text = try? String(contentsOfFile: "/proc/\(name)/stat", encoding: .utf8),
                let member = ProcessMember(text)
            else { return false }
            return member.group == number && !member.hasEnded
        }
    }
}

/// One line of `/proc/PID/stat` (proc(5)), as far as groups need it.
struct ProcessMember: Hashable {
    var group: Int32
    var hasEnded: Bool

    /// The command stands in parentheses and may hold any characters, so fields are counted from the
    /// last closing one: the state is field 3, the group field 5.
    init?(_ line: some StringProtocol) {
        guard let close = line.lastIndex(of: ")") else { return nil }
        let fields = line[line.index(after: close)...].split(separator: " ")
        guard fields.count >= 3, let group = Int32(fields[2]) else { return nil }
        self.group = group
        hasEnded = fields[0] == "Z" || fields[0] == "X"
    }
}
