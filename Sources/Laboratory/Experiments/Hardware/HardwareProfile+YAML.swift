public import HardwareModel
import Machines
import Units

extension HardwareProfile {
    /// The profile as a file for `scenarios/hardware/`.
    public var yaml: String {
        var lines = [
            "# What simulations charge for computation and durable writes. Written by",
            "# `novalab doctor --measure`; speeds are MB/s (10^6 bytes a second) of one core.",
            "name: \(HardwareProfile.quoted(name))",
            "measured:",
            "  machine: \(HardwareProfile.quoted(measured.machine))",
            "  date: \(HardwareProfile.quoted(measured.date))",
            "  method: \(HardwareProfile.quoted(measured.method))",
            "cores: \(cores)",
            "mbPerSecond:",
        ]
        for kind in WorkKind.allCases {
            lines.append("  \(kind.rawValue): \(HardwareProfile.number(speeds[kind]))")
        }
        lines.append("disk:")
        lines.append("  write: \(HardwareProfile.number(disk.write)) MB/s")
        lines.append("  fsync: \(disk.fsync)")
        if let read = disk.read { lines.append("  read: \(HardwareProfile.number(read)) MB/s") }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func number(_ value: Double) -> String {
        value == value.rounded() && value < 1e15 ? "\(Int64(value))" : "\(value)"
    }

    private static func quoted(_ text: String) -> String {
        let escaped = text.map { $0 == "\"" || $0 == "\\" ? "\\\($0)" : "\($0)" }.joined()
        return "\"\(escaped)\""
    }
}
