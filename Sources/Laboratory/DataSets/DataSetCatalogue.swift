public import Units

/// The data sets that scenarios name: committed ones in a folder, captured and imported ones in its
/// subfolder `captured`, which is not part of the repository.
public struct DataSetCatalogue: Sendable {
    /// The set that is captured from the SQLite workload when it is first asked for.
    public static let defaultName = "sqlite-workload"
    public static let defaultSnapshots = 9

    public let folder: String
    /// The command that runs `SQLiteWorkload.run`, for the first use of the default set.
    private let workloadCommand: [String]

    /// - Parameters:
    ///   - folder: the repository's `datasets`.
    ///   - workloadCommand: the program, and its arguments, that runs `SQLiteWorkload.run`.
    public init(folder: String, workloadCommand: [String]) {
        self.folder = folder
        self.workloadCommand = workloadCommand
    }

    public struct Entry: Sendable {
        public enum Place: String, Hashable, Sendable {
            case captured
            case committed
            /// Not there yet: made on first use.
            case onFirstUse = "captured on first use"
        }

        public var name: String
        public var place: Place
        public var path: String
        /// What the file says about itself; the reason when it cannot be read.
        public var header: Result<MemoryDataSetFile.Header, DataSetError>?
    }

    /// All data sets by name. A captured set hides a committed one of the same name.
    public func list() -> [Entry] {
        var entries: [Entry] = []
        for (place, folder) in [(Entry.Place.captured, capturedFolder), (.committed, folder)] {
            for file in FileAccess.names(in: folder) where file.hasSuffix(DataSetCatalogue.suffix) {
                let name = String(file.dropLast(DataSetCatalogue.suffix.count))
                guard !entries.contains(where: { $0.name == name }) else { continue }
                let path = "\(folder)/\(file)"
                let header = Result { () throws(DataSetError) in
                    try MemoryDataSetFile.readHeader(path)
                }
                entries.append(Entry(name: name, place: place, path: path, header: header))
            }
        }
        if !entries.contains(where: { $0.name == DataSetCatalogue.defaultName }) {
            let path = capturedPath(DataSetCatalogue.defaultName)
            entries.append(
                Entry(name: DataSetCatalogue.defaultName, place: .onFirstUse, path: path)
            )
        }
        return entries.sorted { $0.name < $1.name }
    }

    /// The data set with this name; the default one is captured and kept when it is not there yet,
    /// which takes about 12 s.
    ///
    /// - Parameters:
    ///   - snapshots: how many to take, when it has to be captured.
    ///   - every: how far apart.
    ///   - progress: called while capturing only.
    ///   - isCancelled: asked while capturing.
    public func resolve(
        _ name: String,
        snapshots: Int = defaultSnapshots,
        every: Interval = .seconds(1),
        progress: (MemoryCapture.Progress) -> Void = { _ in },
        isCancelled: () -> Bool = { false }
    ) throws(DataSetError) -> MemoryDataSet {
        try DataSetCatalogue.check(name: name)
        for path in [capturedPath(name), "\(folder)/\(name)\(DataSetCatalogue.suffix)"]
        where FileAccess.exists(path) {
            return try MemoryDataSetFile.read(path)
        }
        guard name == DataSetCatalogue.defaultName else {
            throw .notFound(name: name, known: list().map(\.name))
        }
        let dataSet = try captureDefault(
            snapshots: snapshots,
            every: every,
            progress: progress,
            isCancelled: isCancelled
        )
        try keep(dataSet)
        return dataSet
    }

    /// Writes a data set under its name into the folder of captured ones; returns the path.
    @discardableResult
    public func keep(_ dataSet: MemoryDataSet) throws(DataSetError) -> String {
        try DataSetCatalogue.check(name: dataSet.name)
        try FileAccess.makeFolder(capturedFolder)
        let path = capturedPath(dataSet.name)
        try MemoryDataSetFile.write(dataSet, to: path)
        return path
    }

    /// Captures the SQLite workload without keeping it.
    public func captureDefault(
        snapshots: Int = defaultSnapshots,
        every: Interval = .seconds(1),
        progress: (MemoryCapture.Progress) -> Void = { _ in },
        isCancelled: () -> Bool = { false }
    ) throws(DataSetError) -> MemoryDataSet {
        let capture = MemoryCapture(
            .command(workloadCommand),
            name: DataSetCatalogue.defaultName,
            snapshots: snapshots,
            every: every,
            readiness: .outputLine(SQLiteWorkload.readyLine, within: .seconds(120)),
            description: "a shop's orders on SQLite, in memory, at a steady rate of transactions"
        )
        return try capture.run(progress: progress, isCancelled: isCancelled)
    }

    /// Names are file names on every system: lower-case letters, digits, dots, dashes, underscores.
    static func check(name: String) throws(DataSetError) {
        let isPlain = name.utf8.allSatisfy {
            (97...122).contains($0) || (48...57).contains($0) || [45, 46, 95].contains($0)
        }
        guard isPlain, (1...100).contains(name.utf8.count), !name.hasPrefix(".") else {
            throw .badRequest(
                "'\(name)' cannot name a data set: use 1 to 100 of a-z, 0-9, '-', '_' and '.', "
                    + "not beginning with a dot"
            )
        }
    }

    private static let suffix = ".\(MemoryDataSetFile.fileExtension)"

    private var capturedFolder: String { "\(folder)/captured" }

    private func capturedPath(_ name: String) -> String {
        "\(capturedFolder)/\(name)\(DataSetCatalogue.suffix)"
    }
}
