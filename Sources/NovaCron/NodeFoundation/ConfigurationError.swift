/// Everything that is wrong with a configuration, told at once.
public struct ConfigurationError: Error, Hashable, Sendable, CustomStringConvertible {
    /// At least one, at most `diagnosticLimit`, in order of the file and then of the environment.
    public var diagnostics: [ConfigurationDiagnostic]

    /// What comes after is not collected: somebody who has fixed these sees the rest.
    public static let diagnosticLimit = 50

    public init(_ diagnostics: [ConfigurationDiagnostic]) {
        precondition(!diagnostics.isEmpty, "an error without a reason")
        self.diagnostics = Array(diagnostics.prefix(ConfigurationError.diagnosticLimit))
    }

    /// One line each.
    public var description: String {
        diagnostics.map(\.description).joined(separator: "\n")
    }
}

/// One thing that is wrong, and where.
public struct ConfigurationDiagnostic: Hashable, Sendable, CustomStringConvertible {
    public var place: Place
    /// In one line, with what was expected.
    public var message: String
    /// The name that was probably meant.
    public var suggestion: String?

    public enum Place: Hashable, Sendable {
        /// Line and column count from one; columns count Unicode scalars.
        case file(path: String, line: Int, column: Int)
        /// The file as a whole.
        case wholeFile(path: String)
        case variable(String)
        /// A default value, which nobody wrote, does not go with the others.
        case key(String)
    }

    public init(_ place: Place, _ message: String, suggestion: String? = nil) {
        self.place = place
        self.message = message
        self.suggestion = suggestion
    }

    public var description: String {
        let start =
            switch place {
            case .file(let path, let line, let column): "\(path):\(line):\(column)"
            case .wholeFile(let path): path
            case .variable(let name): name
            case .key(let path): path
            }
        let end = suggestion.map { "; did you mean '\($0)'?" } ?? ""
        return "\(start): \(message)\(end)"
    }
}
