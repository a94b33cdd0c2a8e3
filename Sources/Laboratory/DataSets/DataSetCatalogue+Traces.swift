public import LinkModel

/// Traces of rates: imported ones in the subfolder `captured`, committed ones in the folder.
extension DataSetCatalogue {
    /// The names of the traces that scenarios may use without a path.
    public var traceNames: [String] { traces.map(\.name) }

    /// The same with their files; of two with one name the imported one counts.
    public var traces: [(name: String, path: String)] {
        var paths: [String: String] = [:]
        for folder in ["\(folder)/captured", folder] {
            for file in FileAccess.names(in: folder) where file.hasSuffix(traceSuffix) {
                let name = String(file.dropLast(traceSuffix.count))
                paths[name] = paths[name] ?? "\(folder)/\(file)"
            }
        }
        return paths.sorted { $0.key < $1.key }.map { (name: $0.key, path: $0.value) }
    }

    /// A trace by its name, or from a file of any form that `RateTraceFile` reads.
    ///
    /// - Parameters:
    ///   - name: a name of `traceNames`, or a path; one that is relative counts from `base`.
    ///   - ending: what comes after the trace's end.
    public func trace(
        _ name: String,
        from base: String,
        ending: RateTrace.Ending
    ) throws(DataSetError) -> RateTrace {
        let beside = name.hasPrefix("/") ? name : "\(base)/\(name)"
        for path in [
            "\(folder)/captured/\(name)\(traceSuffix)", "\(folder)/\(name)\(traceSuffix)", beside,
        ]
        where FileAccess.exists(path) {
            return try RateTraceFile.read(path, ending: ending)
        }
        throw .notFound(name: name, known: traceNames)
    }

    /// Keeps a trace under a name that scenarios may use; returns the path.
    ///
    /// - Parameter source: where it came from, in a word; the file says so.
    public func keep(
        _ trace: RateTrace,
        named name: String,
        source: String
    ) throws(DataSetError) -> String {
        try DataSetCatalogue.check(name: name)
        try FileAccess.makeFolder("\(folder)/captured")
        let path = "\(folder)/captured/\(name)\(traceSuffix)"
        let line = source.split(whereSeparator: \.isNewline).joined(separator: " ")
        try FileAccess.writeAtomically(KeptTrace.encode(trace, source: line), to: path)
        return path
    }

    private var traceSuffix: String { ".\(KeptTrace.fileExtension)" }
}
