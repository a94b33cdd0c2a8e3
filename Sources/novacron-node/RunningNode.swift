import Effects
import FoundationEssentials

/// What a running node leaves in its folder, so that other commands find it: where it listens, and
/// which process it is. Who believes it must see that the process holds the folder's lock.
struct RunningNode: Codable, Hashable, Sendable {
    static let fileName = "running.json"
    private static let limit = 1 << 16

    var process: Int32
    /// Addresses with the ports that were taken; `nil` when the part is not there.
    var health: String?
    var control: String?

    func write(to folder: String, _ files: any FileAccess) async throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let bytes = [UInt8](try encoder.encode(self))
        try await files.replace(
            "\(folder)/\(RunningNode.fileName)",
            with: bytes,
            permissions: 0o600
        )
    }

    /// `nil` when there is none, or what is there cannot be read.
    static func read(from folder: String, _ files: any FileAccess) async -> RunningNode? {
        let path = "\(folder)/\(fileName)"
        guard let bytes = try? await files.read(path, limit: limit) else { return nil }
        return try? JSONDecoder().decode(RunningNode.self, from: Data(bytes))
    }
}
