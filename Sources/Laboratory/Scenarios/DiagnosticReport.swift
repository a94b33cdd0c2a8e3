/// Collects what is wrong with one file while it is read.
struct DiagnosticReport {
    let file: String
    private let text: String
    private var collected: [ScenarioDiagnostic] = []
    private var known: Set<Key> = []

    /// A variant inherits what is wrong with `system`, under another path.
    private struct Key: Hashable {
        var location: SourceLocation
        var message: String
    }

    init(file: String, text: String) {
        self.file = file
        self.text = text
    }

    var isEmpty: Bool { collected.isEmpty }

    /// The same message about the same place counts once.
    mutating func add(
        _ category: ScenarioDiagnostic.Category,
        at location: SourceLocation,
        path: String,
        _ message: String,
        expected: String? = nil,
        suggestion: String? = nil
    ) {
        guard collected.count < 4 * ScenarioFile.maximumDiagnostics,
            known.insert(Key(location: location, message: message)).inserted
        else { return }
        collected.append(
            ScenarioDiagnostic(
                category: category,
                file: file,
                location: location,
                path: path,
                message: DiagnosticReport.printable(message.unicodeScalars),
                expected: expected.map { DiagnosticReport.printable($0.unicodeScalars) },
                suggestion: suggestion.map { DiagnosticReport.printable($0.unicodeScalars) },
                sourceLine: ""
            )
        )
    }

    mutating func add(_ failure: ValueFailure, at location: SourceLocation, path: String) {
        add(
            failure.category,
            at: SourceLocation(line: location.line, column: location.column + failure.offset),
            path: path,
            failure.message,
            expected: failure.expected,
            suggestion: failure.suggestion
        )
    }

    /// Whether the file has a quotation mark there.
    func isQuote(at location: SourceLocation) -> Bool {
        let lines = DiagnosticReport.lines(of: text)
        guard lines.indices.contains(location.line - 1) else { return false }
        let scalar = lines[location.line - 1].dropFirst(location.column - 1).first
        return scalar == "\"" || scalar == "'"
    }

    /// Everything in file order, at most `ScenarioFile.maximumDiagnostics`, with its source lines.
    var diagnostics: [ScenarioDiagnostic] {
        guard !collected.isEmpty else { return [] }
        let sorted = collected.sorted {
            ($0.location, $0.path, $0.message) < ($1.location, $1.path, $1.message)
        }
        let lines = DiagnosticReport.lines(of: text)
        return sorted.prefix(ScenarioFile.maximumDiagnostics).map { diagnostic in
            var complete = diagnostic
            if lines.indices.contains(diagnostic.location.line - 1) {
                complete.sourceLine = DiagnosticReport.printable(
                    lines[diagnostic.location.line - 1].prefix(200)
                )
            }
            return complete
        }
    }

    /// Text as a terminal may show it: without control characters, which could change what the
    /// terminal shows of the rest.
    private static func printable(_ scalars: some Sequence<Unicode.Scalar>) -> String {
        var text = String.UnicodeScalarView()
        for scalar in scalars {
            let isControl = scalar.properties.generalCategory == .control && scalar != "\t"
            text.append(isControl ? "\u{fffd}" : scalar)
        }
        return String(text)
    }

    /// The lines without their ends, broken where YAML breaks them.
    static func lines(of text: String) -> [Substring.UnicodeScalarView] {
        var lines: [Substring.UnicodeScalarView] = []
        let scalars = text.unicodeScalars
        var start = scalars.startIndex
        var index = start
        while index < scalars.endIndex {
            let scalar = scalars[index]
            let next = scalars.index(after: index)
            switch scalar {
            case "\r" where next < scalars.endIndex && scalars[next] == "\n":
                lines.append(scalars[start..<index])
                start = scalars.index(after: next)
                index = start
                continue
            case "\n", "\r", "\u{85}", "\u{2028}", "\u{2029}":
                lines.append(scalars[start..<index])
                start = next
            default:
                break
            }
            index = next
        }
        lines.append(scalars[start...])
        return lines
    }
}
