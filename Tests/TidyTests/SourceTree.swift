import Foundation

/// The project's own files, as the tidy tests read them.
struct SourceTree {
    struct File {
        /// Relative to the project's root, for example `Sources/Core/Units/Instant.swift`.
        let path: String
        let lines: [Substring]

        /// Lines without their comments and without the contents of one-line string literals, so that
        /// a rule about code does not stumble over prose.
        var code: [(number: Int, text: String)] {
            lines.enumerated().map { ($0.offset + 1, File.stripped($0.element)) }
        }

        /// `Sources/<wing>/<room>/…`
        var wing: String { part(1) }
        var room: String { part(2) }

        private func part(_ index: Int) -> String {
            let parts = path.split(separator: "/")
            return index < parts.count - 1 ? String(parts[index]) : ""
        }

        private static func stripped(_ line: Substring) -> String {
            var result = ""
            var inString = false
            var previous: Character = " "
            for character in line {
                if character == "\"", previous != "\\" {
                    inString.toggle()
                    result.append(character)
                } else if !inString {
                    if character == "/", previous == "/" {
                        result.removeLast()
                        return result
                    }
                    result.append(character)
                }
                previous = character
            }
            return result
        }
    }

    let files: [File]

    static let root = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// All files below `folders` whose names end in one of `extensions`.
    static func load(_ folders: [String], extensions: [String] = ["swift"]) throws -> SourceTree {
        var files: [File] = []
        for folder in folders {
            // A link to the folder must not make the rules look at nothing.
            let base = root.appending(path: folder).resolvingSymlinksInPath()
            guard let names = FileManager.default.subpaths(atPath: base.path) else { continue }
            for name in names.sorted() where !name.hasPrefix(".build") && !name.contains("/.build/")
            {
                guard extensions.contains((name as NSString).pathExtension) else { continue }
                let text = try String(contentsOf: base.appending(path: name), encoding: .utf8)
                let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
                files.append(File(path: "\(folder)/\(name)", lines: lines))
            }
        }
        return SourceTree(files: files)
    }
}
