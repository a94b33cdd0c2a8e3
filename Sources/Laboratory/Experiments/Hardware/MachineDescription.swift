import Foundation

/// What machine this is, in a line for people.
enum MachineDescription {
    static var current: String {
        let cores = ProcessInfo.processInfo.activeProcessorCount
        let memory = Double(ProcessInfo.processInfo.physicalMemory) / Double(1 << 30)
        let parts = [
            processor ?? "unknown processor",
            "\(cores) core\(cores == 1 ? "" : "s")",
            "\(Int(memory.rounded())) GiB",
            ProcessInfo.processInfo.operatingSystemVersionString,
        ]
        return parts.joined(separator: ", ")
    }

    private static var processor: String? {
        guard let text = try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8) else {
            return nil
        }
        let line = text.split(separator: "\n").first { $0.hasPrefix("model name") }
        return line?.split(separator: ":").last?.trimmingCharacters(in: .whitespaces)
    }
}
