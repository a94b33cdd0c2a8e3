public import Foundation

/// A text file of commands and the output they must give: commands, a line `----`, the expected
/// lines, an empty line; comments begin with `#`.
///
/// The format follows the interaction tests of etcd's raft: a person reads what happens, and a
/// changed behaviour shows as a changed text.
public struct InteractionScript {
    public let name: String
    public let blocks: [Block]

    public struct Block {
        public let line: Int
        public let commands: [String]
        public let expected: [String]
    }

    public struct FormatError: Error, CustomStringConvertible {
        public let description: String
    }

    public init(contentsOf file: URL) throws {
        let text = try String(contentsOf: file, encoding: .utf8)
        try self.init(name: file.deletingPathExtension().lastPathComponent, text: text)
    }

    public init(name: String, text: String) throws {
        self.name = name
        var blocks: [Block] = []
        var commands: [String] = []
        var expected: [String]?
        var begin = 1
        func close() throws {
            guard !commands.isEmpty || expected != nil else { return }
            guard let lines = expected else {
                throw FormatError(description: "\(name):\(begin): commands without '----'")
            }
            blocks.append(Block(line: begin, commands: commands, expected: lines))
        }
        for (index, raw) in text.split(separator: "\n", omittingEmptySubsequences: false)
            .enumerated()
        {
            let line = raw.trimmingCharacters(in: .whitespaces)
            if line.hasPrefix("#") { continue }
            if line.isEmpty {
                try close()
                commands = []
                expected = nil
                begin = index + 2
            } else if line == "----" {
                expected = []
            } else if expected != nil {
                expected!.append(line)
            } else {
                commands.append(line)
            }
        }
        try close()
        self.blocks = blocks
    }

    /// All scripts of a folder, in order of their names.
    public static func load(folder: URL) throws -> [InteractionScript] {
        try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
            .filter { $0.pathExtension == "txt" }
            .sorted { $0.path < $1.path }
            .map { try InteractionScript(contentsOf: $0) }
    }

    /// Runs every block and returns what differs, as texts to show.
    public func differences(run: (_ command: String) throws -> [String]) rethrows -> [String] {
        var differences: [String] = []
        for block in blocks {
            let found = try block.commands.flatMap(run)
            if found != block.expected {
                differences.append(
                    """
                    \(name):\(block.line): \(block.commands.joined(separator: "; "))
                    expected:
                    \(block.expected.joined(separator: "\n"))
                    found:
                    \(found.joined(separator: "\n"))
                    """
                )
            }
        }
        return differences
    }
}
