/// One thing that is wrong with a scenario file, at one place.
public struct ScenarioDiagnostic: Hashable, Sendable {
    public var category: Category
    /// As the caller named it.
    public var file: String
    public var location: SourceLocation
    /// The keys that lead there, for example `topology.links[0].rtt`; empty for the whole file.
    public var path: String
    /// One clause without a full stop, for example `unknown key 'rate-limit'`.
    public var message: String
    /// What would be right there, for example `a duration such as 80 ms`.
    public var expected: String?
    /// The nearest known name, if one is near.
    public var suggestion: String?
    /// The line of the file, without its end.
    public var sourceLine: String

    public enum Category: String, Hashable, Sendable, CaseIterable {
        /// The file cannot be opened or read.
        case unreadable
        /// Not YAML, or not UTF-8.
        case syntax
        /// Too large, too deep, or too many aliases.
        case limit
        case unknownKey = "unknown-key"
        case missingKey = "missing-key"
        case duplicateKey = "duplicate-key"
        /// A list where a mapping belongs, for example.
        case wrongType = "wrong-type"
        /// Text that cannot be read as the quantity, number, word or expression that belongs there.
        case badValue = "bad-value"
        /// A well-formed value outside its range.
        case outOfRange = "out-of-range"
        /// The name of a region, variant, metric, role, label or link that does not exist.
        case unknownName = "unknown-name"
        /// Keys that exclude or need one another.
        case conflict
        /// Correct, but something this build or machine cannot do.
        case unsupported
    }

    public init(
        category: Category,
        file: String,
        location: SourceLocation,
        path: String,
        message: String,
        expected: String?,
        suggestion: String?,
        sourceLine: String
    ) {
        self.category = category
        self.file = file
        self.location = location
        self.path = path
        self.message = message
        self.expected = expected
        self.suggestion = suggestion
        self.sourceLine = sourceLine
    }
}

/// A place in a file; lines and columns count from one, columns in Unicode scalars.
public struct SourceLocation: Hashable, Comparable, Sendable {
    public var line: Int
    public var column: Int

    public init(line: Int, column: Int) {
        self.line = line
        self.column = column
    }

    public static func < (left: SourceLocation, right: SourceLocation) -> Bool {
        (left.line, left.column) < (right.line, right.column)
    }
}

/// Everything that is wrong with a scenario file, in file order.
public struct ScenarioError: Error, Hashable, Sendable {
    /// Never empty; at most `ScenarioFile.maximumDiagnostics`.
    public var diagnostics: [ScenarioDiagnostic]

    public init(diagnostics: [ScenarioDiagnostic]) {
        precondition(!diagnostics.isEmpty, "a scenario error needs at least one diagnostic")
        self.diagnostics = diagnostics
    }

    /// 69 when the only fault of the file is that something is unsupported, otherwise 65.
    public var exitCode: Int32 {
        diagnostics.allSatisfy { $0.category == .unsupported } ? 69 : 65
    }
}

extension ScenarioDiagnostic: CustomStringConvertible {
    /// As a compiler prints it: `file:line:column: error: …`, the line, and a caret.
    public var description: String {
        var text = "\(file):\(location.line):\(location.column): error: \(message)"
        if !path.isEmpty { text += " in '\(path)'" }
        if let expected { text += "; expected \(expected)" }
        if let suggestion { text += "; did you mean '\(suggestion)'?" }
        guard !sourceLine.isEmpty else { return text }
        // A tab stays a tab in the margin, so that the caret stands under its column.
        let margin = sourceLine.unicodeScalars.prefix(location.column - 1)
            .map { $0 == "\t" ? "\t" : " " }.joined()
        return text + "\n    \(sourceLine)\n    \(margin)^"
    }
}

extension ScenarioError: CustomStringConvertible {
    public var description: String {
        diagnostics.map(\.description).joined(separator: "\n")
    }
}
