internal import Foundation

extension Provenance {
    /// What this machine and the work tree at `root` say about themselves. Never fails: what cannot
    /// be read is `unknown`, with the reason.
    public static func gather(root: String) -> Provenance {
        Provenance(
            commit: git(["rev-parse", "HEAD"], in: root),
            isDirty: dirtiness(of: root),
            compiler: compiler(),
            processor: processor(),
            coreCount: ProcessInfo.processInfo.activeProcessorCount,
            kernel: file("/proc/sys/kernel/osrelease"),
            settings: settingNames.map { name in
                let path = "/proc/sys/" + name.replacingOccurrences(of: ".", with: "/")
                return Setting(name: name, value: file(path))
            }
        )
    }

    /// The settings that shape TCP over real sockets.
    private static let settingNames = [
        "net.core.default_qdisc", "net.core.rmem_max", "net.core.somaxconn", "net.core.wmem_max",
        "net.ipv4.tcp_congestion_control", "net.ipv4.tcp_rmem", "net.ipv4.tcp_sack",
        "net.ipv4.tcp_slow_start_after_idle", "net.ipv4.tcp_timestamps",
        "net.ipv4.tcp_window_scaling", "net.ipv4.tcp_wmem",
    ]

    private static func dirtiness(of root: String) -> Known<Bool> {
        // Reports and captured data are ignored by git, so making them leaves the tree clean.
        switch git(["status", "--porcelain"], in: root) {
        case .known(let text): .known(!text.isEmpty)
        case .unknown(let reason): .unknown(reason: reason)
        }
    }

    private static func git(_ arguments: [String], in root: String) -> Known<String> {
        output(of: "git", ["-C", root] + arguments)
    }

    /// The compiler found along PATH, which is the one that the launcher builds with.
    private static func compiler() -> Known<String> {
        switch output(of: "swiftc", ["--version"]) {
        case .known(let text):
            let line = text.split(separator: "\n").first { $0.contains("Swift version") }
            guard let line, let start = line.range(of: "Swift version") else {
                return .unknown(reason: "swiftc does not state its version")
            }
            return .known(String(line[start.lowerBound...]))
        case .unknown(let reason): return .unknown(reason: reason)
        }
    }

    private static func processor() -> Known<String> {
        switch file("/proc/cpuinfo") {
        case .known(let text):
            for line in text.split(separator: "\n") where line.hasPrefix("model name") {
                guard let colon = line.firstIndex(of: ":") else { continue }
                let name = line[line.index(after: colon)...]
                return .known(name.trimmingCharacters(in: .whitespaces))
            }
            return .unknown(reason: "/proc/cpuinfo names no model")
        case .unknown(let reason): return .unknown(reason: reason)
        }
    }

    private static func file(_ path: String) -> Known<String> {
        guard let bytes = FileManager.default.contents(atPath: path) else {
            return .unknown(reason: "\(path) cannot be read")
        }
        let text = String(decoding: bytes, as: UTF8.self)
        let words = text.split(whereSeparator: { $0 == "\t" || $0 == " " })
        let joined = words.joined(separator: " ").trimmingCharacters(in: .whitespacesAndNewlines)
        guard !joined.isEmpty else { return .unknown(reason: "\(path) is empty") }
        return .known(joined)
    }

    /// What a program prints; its complaints are not shown to the user.
    private static func output(of program: String, _ arguments: [String]) -> Known<String> {
        let process = Process()
        let pipe = Pipe()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = [program] + arguments
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = pipe
        process.standardError = FileHandle.nullDevice
        do {
            try process.run()
            let bytes = try pipe.fileHandleForReading.readToEnd() ?? Data()
            process.waitUntilExit()
            guard process.terminationStatus == 0 else {
                let command = ([program] + arguments).joined(separator: " ")
                return .unknown(reason: "`\(command)` gave \(process.terminationStatus)")
            }
            let text = String(decoding: bytes, as: UTF8.self)
            return .known(text.trimmingCharacters(in: .whitespacesAndNewlines))
        } catch {
            return .unknown(reason: "\(program) cannot be started")
        }
    }
}
