import ArgumentParser
import DataSets
import Foundation
import Scenarios
import Units

struct DatasetCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dataset",
        abstract: "Captures, imports and lists memory images, and imports traces and tables.",
        discussion: """
            Examples:
              novalab dataset list
              novalab dataset show seeded-small
              novalab dataset import --help
            """,
        subcommands: [
            ListSets.self, ShowSet.self, CaptureSet.self, ImportData.self, RecordBoots.self,
        ]
    )

    static var catalogue: DataSetCatalogue {
        DataSetCatalogue(
            folder: LabFolders.current.datasets,
            workloadCommand: [ownExecutable, WorkloadCommand.configuration.commandName!]
        )
    }

    /// The path of this program, for starting it again.
    static var ownExecutable: String {
        (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"))
            ?? CommandLine.arguments[0]
    }

    /// Turns a data set's error into the message and code of the command.
    static func attempt<Value>(_ body: () throws(DataSetError) -> Value) throws -> Value {
        do {
            return try body()
        } catch {
            throw CommandFailure(code: error.exitCode, message: error.description)
        }
    }

    /// Shows a capture's progress; the last snapshot always shows.
    static func show(_ progress: MemoryCapture.Progress, on line: ProgressLine) {
        switch progress {
        case .waiting:
            line.show("waiting for the program to be ready")
        case .took(let snapshot, let count, let size, let stopped):
            let text = "snapshot \(snapshot) of \(count): \(size), stopped for \(stopped)"
            line.show(text, isFinal: snapshot == count)
        }
    }
}

extension DatasetCommand {
    struct ListSets: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list",
            abstract: "Lists the memory images and traces that scenarios may name.",
            discussion: """
                Examples:
                  novalab dataset list
                  novalab dataset list --json
                """
        )

        @Flag(help: "Print JSON; docs/json-output.md has the fields.")
        var json = false

        func run() throws {
            if json {
                let catalogue = DatasetCommand.catalogue
                try JSONOutput.print(
                    catalogue.list().map { ListedDataSet($0) }
                        + catalogue.traces.map { ListedDataSet(trace: $0.name, path: $0.path) }
                )
                return
            }
            for entry in DatasetCommand.catalogue.list() {
                let about: String
                switch entry.header {
                case .success(let header)?:
                    let size = ByteCount(header.pageCount * MemoryDataSet.pageSize)
                    about =
                        "\(size) × \(header.gaps.count + 1) snapshots, sha256 "
                        + header.digest.short
                case .failure(let error)?: about = error.description
                case nil: about = "not there yet"
                }
                print("\(entry.name)  \(entry.place.rawValue)  \(about)")
            }
            for name in DatasetCommand.catalogue.traceNames { print("\(name)  trace") }
        }
    }

    struct ShowSet: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "show",
            abstract: "Says what a data set holds, gap by gap.",
            discussion: """
                Example:
                  novalab dataset show seeded-small
                """
        )

        @Argument(help: "The name, as 'dataset list' prints it.")
        var name: String

        func run() throws {
            let line = ProgressLine()
            let set = try DatasetCommand.attempt { () throws(DataSetError) in
                try DatasetCommand.catalogue.resolve(
                    name,
                    progress: { DatasetCommand.show($0, on: line) }
                )
            }
            line.clear()
            print("name            \(set.name)")
            print("origin          \(set.origin.kind.rawValue): \(set.origin.description)")
            if let recorded = set.origin.recordedAt { print("recorded        \(recorded)") }
            print("sha256          \(set.digest)")
            print("memory          \(set.memorySize), \(set.pageCount) pages")
            print("distinct pages  \(set.uniquePageCount) over all snapshots")
            for snapshot in 0..<set.snapshotCount {
                var text =
                    "snapshot \(snapshot)      \(set.zeroPageCount(snapshot: snapshot)) zero pages"
                if snapshot < set.gaps.count {
                    let changed = set.changedPages(acrossGap: snapshot).count
                    text += ", then \(changed) pages change within \(set.gaps[snapshot])"
                }
                print(text)
            }
        }
    }

    struct CaptureSet: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "capture",
            abstract: "Takes snapshots of a running process's writable memory.",
            discussion: """
                The process is stopped for each snapshot and continued afterwards, also on errors \
                and on Ctrl-C. A command is started without a shell and ended afterwards.

                Examples:
                  novalab dataset capture --command 'redis-server --port 7777' --snapshots 8
                  novalab dataset capture --pid 4711 --snapshots 10 --every 2s --name editor
                """
        )

        @Option(help: "A command to start and capture.")
        var command: String?

        @Option(help: "A running process to capture.")
        var pid: Int32?

        @Option(help: "How many snapshots to take.")
        var snapshots = DataSetCatalogue.defaultSnapshots

        @Option(help: "The time between snapshots, such as '1s' or '500 ms'.")
        var every = "1 s"

        @Option(help: "The data set's name; taken from the command without it.")
        var name: String?

        func validate() throws {
            guard (command == nil) != (pid == nil) else {
                throw ValidationError("name either --command or --pid")
            }
        }

        func run() throws {
            Interrupt.watch()
            guard let interval = Quantity.interval(every), interval > .zero else {
                throw CommandFailure(
                    code: 64,
                    message: "'\(every)' is not a time; write for example 1s or 500 ms"
                )
            }
            let line = ProgressLine()
            let path = try DatasetCommand.attempt { () throws(DataSetError) in
                let target: MemoryCapture.Target
                var title = "process"
                if let command {
                    let words = try CommandWords.split(command)
                    title = String(words[0].split(separator: "/").last ?? "process")
                    target = .command(words)
                } else {
                    title = "process-\(pid!)"
                    target = .process(pid!)
                }
                let capture = MemoryCapture(
                    target,
                    name: name ?? title.lowercased(),
                    snapshots: snapshots,
                    every: interval
                )
                let set = try capture.run(
                    progress: { DatasetCommand.show($0, on: line) },
                    isCancelled: { Interrupt.isRequested }
                )
                return try DatasetCommand.catalogue.keep(set)
            }
            line.clear()
            print(path)
        }
    }

    struct ImportSet: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "memory",
            abstract: "Brings memory dumps in: raw, or compressed with zstd, one after the other.",
            discussion: """
                A JSON file beside the dump (NAME.json) may tell times, sizes and SHA-256 digests.

                Examples:
                  novalab dataset import gcc.3x64MiB.raw.zst --name gcc
                  novalab dataset import dump.raw --snapshot-size '64 MiB' --every 1s
                """
        )

        @Argument(help: "The dump.", completion: .file())
        var path: String

        @Option(help: "The data set's name; taken from the file without it.")
        var name: String?

        @Option(help: "How many snapshots of equal size the dump holds.")
        var snapshots: Int?

        @Option(help: "The size of one snapshot, such as '64 MiB'.")
        var snapshotSize: String?

        @Option(help: "The time between snapshots, where no JSON file tells it.")
        var every = "1 s"

        func validate() throws {
            guard snapshots == nil || snapshotSize == nil else {
                throw ValidationError("name either --snapshots or --snapshot-size")
            }
        }

        func run() throws {
            Interrupt.watch()
            guard let interval = Quantity.interval(every), interval > .zero else {
                throw CommandFailure(
                    code: 64,
                    message: "'\(every)' is not a time; write for example 1s or 500 ms"
                )
            }
            var shape = snapshots.map { DumpImport.Shape.snapshots($0) }
            if let snapshotSize {
                guard let size = Quantity.size(snapshotSize) else {
                    throw CommandFailure(
                        code: 64,
                        message: "'\(snapshotSize)' is not a size; write for example '64 MiB'"
                    )
                }
                shape = .snapshotSize(size)
            }
            let file = path.split(separator: "/").last.map(String.init) ?? path
            let title = name ?? String(file.split(separator: ".").first ?? "import").lowercased()
            let line = ProgressLine()
            let kept = try DatasetCommand.attempt { () throws(DataSetError) in
                let dump = DumpImport(path: path, name: title, shape: shape, every: interval)
                let set = try dump.run(isCancelled: { Interrupt.isRequested })
                return try DatasetCommand.catalogue.keep(set)
            }
            line.clear()
            print(kept)
        }
    }
}

/// The program whose memory the default data set holds; started by the laboratory itself.
struct WorkloadCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sqlite-workload",
        abstract: "Keeps an SQLite database busy until it is ended.",
        shouldDisplay: false
    )

    func run() throws {
        do {
            try SQLiteWorkload.run()
        } catch {
            throw CommandFailure(code: 70, message: error.description)
        }
    }
}
