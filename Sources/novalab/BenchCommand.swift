import ArgumentParser

/// Measures the laboratory itself.
struct BenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measures what the laboratory can do.",
        subcommands: [DetectionCommand.self]
    )
}
