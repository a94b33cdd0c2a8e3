internal import Foundation

/// Why there is no report.
public enum ReportError: Error, Equatable, Sendable, CustomStringConvertible {
    case charts(GnuplotError)
    /// The page could not be written; nothing at `path` has changed.
    case file(path: String, reason: String)

    public var description: String {
        switch self {
        case .charts(let error): "\(error)"
        case .file(let path, let reason): "cannot write \(path): \(reason)"
        }
    }
}

/// A report: one HTML file that needs nothing else, for a person who has to decide.
///
/// Equal input gives equal bytes for one version of gnuplot: the page carries no date and no
/// generated name.
public enum Report {
    /// The page as text.
    public static func render(_ input: ReportInput) throws(ReportError) -> String {
        try render(input, session: GnuplotSession())
    }

    /// Renders the page and puts it at `path` in one step: a reader sees the old file or the new
    /// one. Missing folders are made.
    public static func write(_ input: ReportInput, to path: String) throws(ReportError) {
        let page = try render(input)
        let target = URL(filePath: path)
        do {
            try FileManager.default.createDirectory(
                at: target.deletingLastPathComponent(),
                withIntermediateDirectories: true
            )
            try Data(page.utf8).write(to: target, options: .atomic)
        } catch {
            throw .file(path: path, reason: error.localizedDescription)
        }
    }

    package static func render(
        _ input: ReportInput,
        session: GnuplotSession
    ) throws(ReportError) -> String {
        let draft = PageDraft(input)
        do throws(GnuplotError) {
            return Page.render(draft.view(drawings: try session.draw(draft.charts)))
        } catch {
            throw .charts(error)
        }
    }
}
