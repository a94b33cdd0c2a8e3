import Yams

/// Turns YAML text into a `DocumentNode`, within limits.
///
/// Aliases share their nodes in memory, so a small file can stand for a huge tree; what walks that
/// tree counts its steps. The YAML library itself walks it only to compare keys, so a file in which
/// aliases and compound keys meet is refused before the library sees it.
enum DocumentReader {
    /// Beyond this number of aliases, compound keys are not allowed.
    private static let harmlessAliases = 8
    private static let maximumAliases = 1_000

    /// The document, or `nil` with the reason in `report`.
    static func read(_ text: String, into report: inout DiagnosticReport) -> DocumentNode? {
        guard isAcceptable(text, &report) else { return nil }
        do {
            let parser = try Parser(yaml: text, resolver: .basic, encoding: .utf8)
            guard let root = try parser.singleRoot() else {
                report.add(
                    .syntax,
                    at: SourceLocation(line: 1, column: 1),
                    path: "",
                    "the file is empty",
                    expected: "a scenario; `novalab init` writes one to start from"
                )
                return nil
            }
            var conversion = Conversion(report: report)
            let node = conversion.converted(root, depth: 0, path: "")
            report = conversion.report
            return conversion.isComplete ? node : nil
        } catch let error as YamlError {
            explain(error, in: text, &report)
        } catch {
            report.add(.syntax, at: SourceLocation(line: 1, column: 1), path: "", "\(error)")
        }
        return nil
    }

    private static func isAcceptable(_ text: String, _ report: inout DiagnosticReport) -> Bool {
        let start = SourceLocation(line: 1, column: 1)
        guard text.utf8.count <= ScenarioFile.maximumSize else {
            report.add(
                .limit,
                at: start,
                path: "",
                "the file has more than \(ScenarioFile.maximumSize / 1024) KiB"
            )
            return false
        }
        let census = AliasCensus(text)
        guard census.aliases <= maximumAliases else {
            report.add(
                .limit,
                at: start,
                path: "",
                "the file uses more than \(maximumAliases) aliases"
            )
            return false
        }
        guard census.aliases <= harmlessAliases || !census.hasCompoundKeys else {
            report.add(
                .limit,
                at: start,
                path: "",
                "the file mixes aliases with keys that are lists, mappings or aliases"
            )
            return false
        }
        return true
    }

    private static func explain(
        _ error: YamlError,
        in text: String,
        _ report: inout DiagnosticReport
    ) {
        switch error {
        case .parser(_, let problem, let mark, _) where problem.contains("nesting level"):
            report.add(
                .limit,
                at: SourceLocation(mark),
                path: "",
                "values are nested deeper than \(ScenarioFile.maximumDepth) levels"
            )
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            report.add(.syntax, at: SourceLocation(mark), path: "", "not valid YAML: \(problem)")
        case .reader(let problem, let offset, _, _):
            report.add(
                .syntax,
                at: location(ofCharacter: offset ?? 0, in: text),
                path: "",
                "not valid YAML: \(problem)"
            )
        case .duplicatedKeysInMapping(let duplicates, let context):
            let key = duplicates.first ?? ""
            let first = SourceLocation(context.mark)
            report.add(
                .duplicateKey,
                at: DuplicateKey.location(of: key, after: first, in: text),
                path: "",
                "'\(QuantityText.shortened(key))' is already a key of this mapping, at line "
                    + "\(first.line), column \(first.column)",
                expected: "each key once"
            )
        case .no, .memory, .writer, .emitter, .representer, .dataCouldNotBeDecoded:
            report.add(
                .syntax,
                at: SourceLocation(line: 1, column: 1),
                path: "",
                "not valid YAML: \(error)"
            )
        }
    }

    private static func location(ofCharacter offset: Int, in text: String) -> SourceLocation {
        let before = String(text.prefix(max(0, offset)))
        let lines = DiagnosticReport.lines(of: before)
        return SourceLocation(line: lines.count, column: (lines.last?.count ?? 0) + 1)
    }
}

extension SourceLocation {
    init(_ mark: Mark) {
        self.init(line: max(1, mark.line), column: max(1, mark.column))
    }
}

/// Counts what could make a small text expand into a huge tree; errs on the side of counting too
/// much, because it does not know quotes and comments.
private struct AliasCensus {
    var aliases = 0
    var hasCompoundKeys = false

    init(_ text: String) {
        var previous = UInt8(ascii: "\n")
        var isInAlias = false
        var isAfterCompound = false
        for byte in text.utf8 {
            let isBlank = byte == 32 || byte == 9
            let startsToken = AliasCensus.opensToken(previous)
            if byte == UInt8(ascii: "*"), startsToken {
                aliases += 1
                isInAlias = true
            } else if byte == UInt8(ascii: "?"), startsToken {
                hasCompoundKeys = true
            } else if byte == UInt8(ascii: ":"), isAfterCompound {
                hasCompoundKeys = true
            }
            if isInAlias {
                isAfterCompound = true
                if byte == 10 || byte == 13 || byte == UInt8(ascii: ",") { isInAlias = false }
            } else if byte == UInt8(ascii: "]") || byte == UInt8(ascii: "}") {
                isAfterCompound = true
            }
            if !isInAlias, !isBlank, byte != UInt8(ascii: "]"), byte != UInt8(ascii: "}") {
                isAfterCompound = false
            }
            previous = byte
        }
    }

    /// Whether a token can begin after this byte.
    private static func opensToken(_ byte: UInt8) -> Bool {
        switch byte {
        case 9, 10, 13, 32: true
        case UInt8(ascii: "["), UInt8(ascii: "{"), UInt8(ascii: ","), UInt8(ascii: ":"),
            UInt8(ascii: "-"), UInt8(ascii: "?"), UInt8(ascii: "\""), UInt8(ascii: "'"):
            true
        // A byte of a longer character: some of them are line breaks.
        case 0x80...: true
        default: false
        }
    }
}

/// Walks the library's tree, counting.
private struct Conversion {
    var report: DiagnosticReport
    var isComplete = true
    private var remaining = ScenarioFile.maximumNodes

    init(report: DiagnosticReport) {
        self.report = report
    }

    mutating func converted(_ node: Node, depth: Int, path: String) -> DocumentNode {
        let location = node.mark.map(SourceLocation.init) ?? SourceLocation(line: 1, column: 1)
        let nothing = DocumentNode(text: "", at: location)
        guard isComplete else { return nothing }
        remaining -= 1
        guard remaining >= 0 else {
            stop(
                location,
                "the file has more than \(ScenarioFile.maximumNodes) values once its aliases are "
                    + "expanded"
            )
            return nothing
        }
        guard depth <= ScenarioFile.maximumDepth else {
            stop(location, "values are nested deeper than \(ScenarioFile.maximumDepth) levels")
            return nothing
        }
        switch node {
        case .scalar(let scalar):
            return DocumentNode(
                .scalar(scalar.string, isPlain: scalar.style == .plain),
                at: location
            )
        case .sequence(let sequence):
            var elements: [DocumentNode] = []
            for (index, element) in sequence.enumerated() {
                elements.append(
                    converted(element, depth: depth + 1, path: "\(path)[\(index)]")
                )
                guard isComplete else { return nothing }
            }
            return DocumentNode(.list(elements), at: location)
        case .mapping(let mapping):
            return DocumentNode(
                .mapping(entries(of: mapping, depth: depth, path: path)),
                at: location
            )
        case .alias:
            // The parser has already put the aliased node in its place.
            return nothing
        }
    }

    private mutating func entries(
        of mapping: Node.Mapping,
        depth: Int,
        path: String
    ) -> [DocumentNode.Entry] {
        var entries: [DocumentNode.Entry] = []
        var merged: [DocumentNode] = []
        for (key, value) in mapping {
            guard isComplete else { return [] }
            let keyLocation =
                key.mark.map(SourceLocation.init) ?? SourceLocation(line: 1, column: 1)
            guard case .scalar(let scalar) = key else {
                report.add(
                    .wrongType,
                    at: keyLocation,
                    path: path,
                    "a key is a list or a mapping",
                    expected: "a word as key"
                )
                continue
            }
            let name = scalar.string
            let inner = DocumentPath.joined(path, name)
            let child = converted(value, depth: depth + 1, path: inner)
            if name == "<<", scalar.style == .plain {
                merged.append(child)
            } else {
                entries.append(
                    DocumentNode.Entry(key: name, keyLocation: keyLocation, value: child)
                )
            }
        }
        for child in merged { merge(child, into: &entries, path: path) }
        return entries
    }

    /// Adds the keys of a merged mapping, or of each of a list of them, that are not there yet.
    private mutating func merge(
        _ source: DocumentNode,
        into entries: inout [DocumentNode.Entry],
        path: String
    ) {
        var known = Set(entries.map(\.key))
        let sources: [DocumentNode]
        if case .list(let elements) = source.content {
            sources = elements
        } else {
            sources = [source]
        }
        for element in sources {
            guard case .mapping(let more) = element.content else {
                report.add(
                    .wrongType,
                    at: element.location,
                    path: path,
                    "'<<' merges \(element.noun)",
                    expected: "an alias of a mapping"
                )
                continue
            }
            for entry in more where known.insert(entry.key).inserted { entries.append(entry) }
        }
    }

    private mutating func stop(_ location: SourceLocation, _ message: String) {
        report.add(.limit, at: location, path: "", message)
        isComplete = false
    }
}

/// The chain of keys that leads to a value.
enum DocumentPath {
    static func joined(_ path: String, _ key: String) -> String {
        let name = QuantityText.shortened(key)
        return path.isEmpty ? name : "\(path).\(name)"
    }
}

/// Finds the second of two equal keys; the YAML library only says where the first is.
private enum DuplicateKey {
    static func location(
        of key: String,
        after first: SourceLocation,
        in text: String
    ) -> SourceLocation {
        let lines = DiagnosticReport.lines(of: text).map { Array($0) }
        let word = Array(key.unicodeScalars)
        guard lines.indices.contains(first.line - 1), !word.isEmpty else { return first }
        // In a block mapping the keys of one mapping stand in one column.
        for number in lines.indices.dropFirst(first.line) {
            let line = lines[number]
            guard let indentation = line.firstIndex(where: { $0 != " " }),
                line[indentation] != "#"
            else { continue }
            let column = first.column - 1
            if indentation == column, isKey(word, in: line, at: column) {
                return SourceLocation(line: number + 1, column: first.column)
            }
            if indentation < column { break }
        }
        // In a flow mapping the next key of that name is in the same braces, nearly always.
        for number in lines.indices.dropFirst(first.line - 1) {
            let line = lines[number]
            let start = number == first.line - 1 ? first.column - 1 + word.count : 0
            guard start < line.count else { continue }
            for column in start..<line.count where isKey(word, in: line, at: column) {
                return SourceLocation(line: number + 1, column: column + 1)
            }
        }
        return first
    }

    private static func isKey(
        _ word: [Unicode.Scalar],
        in line: [Unicode.Scalar],
        at column: Int
    ) -> Bool {
        if column > 0 {
            let before = line[column - 1]
            guard before == " " || before == "," || before == "{" || before == "\t" else {
                return false
            }
        }
        guard let quote = line[column...].first else { return false }
        let isQuoted = quote == "\"" || quote == "'"
        let rest = line[(column + (isQuoted ? 1 : 0))...]
        guard rest.starts(with: word) else { return false }
        let after = rest.dropFirst(word.count + (isQuoted ? 1 : 0))
        return after.drop { $0 == " " }.first == ":"
    }
}
