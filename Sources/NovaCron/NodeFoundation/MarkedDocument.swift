import Yams

/// A part of a YAML or JSON file, with its place.
struct MarkedNode {
    var line: Int
    var column: Int
    var content: Content

    indirect enum Content {
        case scalar(String)
        /// Nothing, `~` or `null` without quotes.
        case null
        case list([MarkedNode])
        /// In the file's order; keys are unique.
        case mapping([Entry])
    }

    struct Entry {
        var key: String
        var keyLine: Int
        var keyColumn: Int
        var value: MarkedNode
    }

    /// For messages.
    var noun: String {
        switch content {
        case .scalar(let text): "'\(SettingText.shortened(text))'"
        case .null: "nothing"
        case .list: "a list"
        case .mapping: "a mapping"
        }
    }
}

/// Reads the YAML of this room's files: mappings, lists and scalars.
///
/// Anchors, and with them aliases, are refused before the YAML library sees the text: nothing in
/// these files needs them, and with them a few hundred bytes can stand for more than memory holds.
enum MarkedDocument {
    /// Deeper than any valid file by far.
    static let depthLimit = 16

    /// - Parameters:
    ///   - bytes: the whole file.
    ///   - path: for the places of errors.
    ///   - limit: the most bytes that are read.
    static func read(
        _ bytes: [UInt8],
        path: String,
        limit: Int
    ) throws(ConfigurationError) -> MarkedNode {
        let text = try accepted(bytes, path: path, limit: limit)
        do {
            let parser = try Parser(yaml: text, resolver: .basic, encoding: .utf8)
            if let root = try parser.singleRoot() {
                let node = try converted(root, depth: 0, path: path)
                if case .null = node.content { throw empty(path) }
                return node
            }
        } catch let error as ConfigurationError {
            throw error
        } catch let error as YamlError {
            throw ConfigurationError([explained(error, path)])
        } catch {
            throw ConfigurationError([ConfigurationDiagnostic(.wholeFile(path: path), "\(error)")])
        }
        throw empty(path)
    }

    private static func empty(_ path: String) -> ConfigurationError {
        ConfigurationError([ConfigurationDiagnostic(.wholeFile(path: path), "the file is empty")])
    }

    /// The text, once it can do no harm to the library.
    private static func accepted(
        _ bytes: [UInt8],
        path: String,
        limit: Int
    ) throws(ConfigurationError) -> String {
        func refused(_ message: String, at offset: Int) -> ConfigurationError {
            let before = bytes[..<offset]
            let line = before.count { $0 == 0x0A } + 1
            let start = before.lastIndex(of: 0x0A).map { $0 + 1 } ?? 0
            // Bytes that continue a character do not count.
            let column = bytes[start..<offset].count { $0 & 0xC0 != 0x80 } + 1
            return ConfigurationError([
                ConfigurationDiagnostic(.file(path: path, line: line, column: column), message)
            ])
        }
        guard bytes.count <= limit else {
            throw ConfigurationError([
                ConfigurationDiagnostic(
                    .wholeFile(path: path),
                    "the file has more than \(limit / 1024) KiB"
                )
            ])
        }
        if let zero = bytes.firstIndex(of: 0) {
            throw refused("a zero byte: the file was cut or overwritten", at: zero)
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw refused("the file is not UTF-8 text", at: invalidOffset(bytes))
        }
        var isComment = false
        var isLineStart = true
        var depth = 0
        var offset = 0
        for scalar in text.unicodeScalars {
            defer { offset += UTF8.width(scalar) }
            switch scalar {
            // The library ends lines at all of these.
            case "\n", "\r", "\u{85}", "\u{2028}", "\u{2029}":
                isLineStart = true
                isComment = false
                continue
            case " ", "\t": continue
            case "#" where isLineStart: isComment = true
            case "&" where !isComment:
                throw refused(
                    "anchors are not understood; '&' may only stand in lines that begin with '#'",
                    at: offset
                )
            case "[" where !isComment, "{" where !isComment:
                depth += 1
                guard depth <= 4 * depthLimit else {
                    throw refused("brackets are nested too deeply", at: offset)
                }
            case "]" where !isComment, "}" where !isComment: depth = max(0, depth - 1)
            case _: break
            }
            isLineStart = false
        }
        return text
    }

    /// Where the first bytes stand that are no UTF-8.
    private static func invalidOffset(_ bytes: [UInt8]) -> Int {
        var decoder = UTF8()
        var iterator = bytes.makeIterator()
        var offset = 0
        while case .scalarValue(let scalar) = decoder.decode(&iterator) {
            offset += UTF8.width(scalar)
        }
        return min(offset, bytes.count - 1)
    }

    private static func converted(
        _ node: Node,
        depth: Int,
        path: String
    ) throws(ConfigurationError) -> MarkedNode {
        let line = node.mark.map { max(1, $0.line) } ?? 1
        let column = node.mark.map { max(1, $0.column) } ?? 1
        func failure(_ message: String) -> ConfigurationError {
            ConfigurationError([
                ConfigurationDiagnostic(.file(path: path, line: line, column: column), message)
            ])
        }
        guard depth <= depthLimit else {
            throw failure("values are nested deeper than \(depthLimit) levels")
        }
        var content: MarkedNode.Content
        switch node {
        case .scalar(let scalar):
            let isNull =
                scalar.style == .plain && ["", "~", "null"].contains(scalar.string)
            content = isNull ? .null : .scalar(scalar.string)
        case .sequence(let sequence):
            var elements: [MarkedNode] = []
            for element in sequence {
                elements.append(try converted(element, depth: depth + 1, path: path))
            }
            content = .list(elements)
        case .mapping(let mapping):
            var entries: [MarkedNode.Entry] = []
            for (key, value) in mapping {
                guard case .scalar(let name) = key else {
                    throw failure("a key of this mapping is not a word")
                }
                entries.append(
                    MarkedNode.Entry(
                        key: name.string,
                        keyLine: key.mark.map { max(1, $0.line) } ?? line,
                        keyColumn: key.mark.map { max(1, $0.column) } ?? column,
                        value: try converted(value, depth: depth + 1, path: path)
                    )
                )
            }
            content = .mapping(entries)
        case .alias:
            throw failure("aliases are not understood")
        }
        return MarkedNode(line: line, column: column, content: content)
    }

    private static func explained(_ error: YamlError, _ path: String) -> ConfigurationDiagnostic {
        switch error {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            ConfigurationDiagnostic(
                .file(path: path, line: max(1, mark.line), column: max(1, mark.column)),
                "not valid YAML: \(problem)"
            )
        case .duplicatedKeysInMapping(let keys, let context):
            ConfigurationDiagnostic(
                .file(
                    path: path,
                    line: max(1, context.mark.line),
                    column: max(1, context.mark.column)
                ),
                "'\(SettingText.shortened("\(keys.first ?? "")"))' is given twice in one mapping"
            )
        case .reader(let problem, _, _, _):
            ConfigurationDiagnostic(.wholeFile(path: path), "not valid YAML: \(problem)")
        case .no, .memory, .writer, .emitter, .representer, .dataCouldNotBeDecoded:
            ConfigurationDiagnostic(.wholeFile(path: path), "not valid YAML: \(error)")
        }
    }
}
