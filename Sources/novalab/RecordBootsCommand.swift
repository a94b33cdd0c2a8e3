import ArgumentParser
import DataSets
import Experiments
import Foundation
import RealNodes
import Reporting

extension DatasetCommand {
    struct RecordBoots: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "record-boot",
            abstract: "Boots the real daemon and records what its components take.",
            discussion: """
                Boots run one after the other, half of them with components one at a time, so that \
                each one's processor time can be told, half as soon as dependencies allow, to \
                compare with. Simulated boots of 'graph: node' use the file with 'costs: NAME'.

                Examples:
                  novalab dataset record-boot --name boot-my-host
                  novalab dataset record-boot --boots 20 --output /tmp/quick.boot.json
                """
        )

        @Option(help: "How many boots of each order.")
        var boots = 100

        @Option(help: "The recording's name; the folder of data sets keeps it.")
        var name: String?

        @Option(help: "Write this file instead, NAME.boot.json.")
        var output: String?

        func validate() throws {
            guard (1...10_000).contains(boots) else {
                throw ValidationError("--boots is in 1...10000")
            }
            guard (name == nil) != (output == nil) else {
                throw ValidationError("name either --name or --output")
            }
            if let output, !output.hasSuffix(BootRecording.fileSuffix) {
                throw ValidationError("--output ends with \(BootRecording.fileSuffix)")
            }
        }

        func run() throws {
            Interrupt.watch()
            let file = output.map { URL(filePath: $0).lastPathComponent }
            let title = name ?? String((file ?? "").dropLast(BootRecording.fileSuffix.count))
            let line = ProgressLine()
            guard let recording = try record(as: title, line) else { throw ExitCode(130) }
            line.clear()
            if let output {
                do {
                    try Data(recording.bytes).write(to: URL(filePath: output), options: .atomic)
                } catch {
                    throw CommandFailure(code: 74, message: "cannot write \(output): \(error)")
                }
                print(output)
            } else {
                print(
                    try DatasetCommand.attempt { () throws(DataSetError) in
                        try DatasetCommand.catalogue.keep(recording)
                    }
                )
            }
        }

        private func record(as title: String, _ line: ProgressLine) throws -> BootRecording? {
            let provenance = Provenance.gather(root: LabFolders.current.root)
            let recorder = BootRecorder(
                program: try DaemonProgram.command(),
                boots: boots,
                isCancelled: { Interrupt.isRequested }
            )
            do {
                return try recorder.record(
                    as: title,
                    machine: "\(provenance.processor), \(provenance.coreCount) cores, "
                        + "\(provenance.kernel)",
                    commit: provenance.commitName(root: LabFolders.current.root),
                    at: Date().formatted(.iso8601),
                    progress: { line.show("boot \($0.done + 1) of \($0.total)") }
                )
            } catch let error as RealNodeError {
                line.clear()
                throw CommandFailure(code: 69, message: "the daemon does not boot: \(error)")
            }
        }
    }
}

/// The daemon that real boots start: it is built beside this program.
enum DaemonProgram {
    static func command() throws -> [String] {
        let path = URL(filePath: DatasetCommand.ownExecutable).deletingLastPathComponent()
            .appending(path: "novacron-node").path
        guard FileManager.default.isExecutableFile(atPath: path) else {
            throw CommandFailure.missing(
                "there is no daemon at \(path); build it with 'swift build -c release'"
            )
        }
        return [path]
    }
}
