import Foundation
public import Measurements

/// Reads scenario files.
///
/// Whatever the bytes are, reading ends with a scenario or with a list of diagnostics; it never
/// traps. The limits keep a hostile file from using more than a moment of time.
public enum ScenarioFile {
    /// Larger files are refused.
    public static let maximumSize = 256 * 1024
    /// Keys and values after aliases have been expanded.
    public static let maximumNodes = 20_000
    /// Lists and mappings inside each other.
    public static let maximumDepth = 32
    /// More than these are not reported.
    public static let maximumDiagnostics = 100
    /// The nodes of all regions.
    public static let maximumClusterSize = 10_000

    /// Reads and checks a scenario. `file` is how diagnostics name it; metrics, their units and their
    /// gating rules come from `catalogue`.
    ///
    /// - Parameter environment: Where it is going to run, when that is not where the file says.
    public static func parse(
        _ text: String,
        file: String,
        on environment: EnvironmentKind? = nil,
        catalogue: MetricCatalogue = .standard
    ) throws(ScenarioError) -> Scenario {
        var report = DiagnosticReport(file: file, text: text)
        if let document = DocumentReader.read(text, into: &report) {
            let scenario = ScenarioBuilder.build(document, on: environment, catalogue, &report)
            if report.isEmpty, let scenario { return scenario }
        }
        throw ScenarioError(diagnostics: report.diagnostics)
    }

    /// Reads and checks the bytes of a file, which must be UTF-8.
    public static func parse(
        bytes: [UInt8],
        file: String,
        on environment: EnvironmentKind? = nil,
        catalogue: MetricCatalogue = .standard
    ) throws(ScenarioError) -> Scenario {
        try parse(
            try decoded(bytes, file: file),
            file: file,
            on: environment,
            catalogue: catalogue
        )
    }

    /// Reads and checks the file at `path`.
    ///
    /// - Parameter environment: Where it is going to run, when that is not where the file says.
    public static func load(
        path: String,
        on environment: EnvironmentKind? = nil,
        catalogue: MetricCatalogue = .standard
    ) throws(ScenarioError) -> Scenario {
        try parse(
            bytes: try contents(of: path),
            file: path,
            on: environment,
            catalogue: catalogue
        )
    }

    /// The bytes of a file, at most one more than `maximumSize`.
    static func contents(of path: String) throws(ScenarioError) -> [UInt8] {
        do {
            let handle = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
            defer { try? handle.close() }
            return Array(try handle.read(upToCount: maximumSize + 1) ?? Data())
        } catch {
            throw failure(.unreadable, file: path, "cannot read the file: \(reason(error))")
        }
    }

    static func decoded(_ bytes: [UInt8], file: String) throws(ScenarioError) -> String {
        if let text = String(validating: bytes, as: UTF8.self) { return text }
        let valid = String(decoding: bytes, as: UTF8.self)
        let lines = DiagnosticReport.lines(of: valid)
        for (number, line) in lines.enumerated() {
            guard let column = line.firstIndex(of: "\u{fffd}") else { continue }
            throw failure(
                .syntax,
                file: file,
                "the file is not UTF-8 text",
                at: SourceLocation(
                    line: number + 1,
                    column: line.distance(from: line.startIndex, to: column) + 1
                )
            )
        }
        throw failure(.syntax, file: file, "the file is not UTF-8 text")
    }

    private static func failure(
        _ category: ScenarioDiagnostic.Category,
        file: String,
        _ message: String,
        at location: SourceLocation = SourceLocation(line: 1, column: 1)
    ) -> ScenarioError {
        ScenarioError(diagnostics: [
            ScenarioDiagnostic(
                category: category,
                file: file,
                location: location,
                path: "",
                message: message,
                expected: nil,
                suggestion: nil,
                sourceLine: ""
            )
        ])
    }

    private static func reason(_ error: any Error) -> String {
        let underlying = (error as NSError).userInfo[NSUnderlyingErrorKey] as? NSError
        return (underlying ?? error as NSError).localizedDescription
    }
}
