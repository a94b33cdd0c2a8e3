import ArgumentParser
import DataSets
import LinkModel
import Units

extension DatasetCommand {
    /// What comes from elsewhere; without a word, a memory dump.
    struct ImportData: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "import",
            abstract: "Brings in memory dumps, traces of rates, or tables of regions.",
            discussion: """
                Examples:
                  novalab dataset import gcc.3x64MiB.raw.zst --name gcc
                  novalab dataset import trace Verizon-LTE-short.down --name lte
                  novalab dataset import regions --rtt rtt.csv --throughput tput.csv aws:us-east-1 …
                """,
            subcommands: [ImportSet.self, ImportTrace.self, ImportRegions.self],
            defaultSubcommand: ImportSet.self
        )
    }

    struct ImportTrace: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "trace",
            abstract: "Brings in what a link could carry over time, for 'rate: {trace: NAME}'.",
            discussion: """
                One whole number a line is mahimahi's list of delivery opportunities in \
                milliseconds; two columns are seconds and Mbit/s unless options say otherwise.

                Examples:
                  novalab dataset import trace Verizon-LTE-short.down --name lte
                  novalab dataset import trace bus.log --name bus --stamp end
                  novalab dataset import trace t.csv --name run-1 --csv --time seq_num \
                    --rate throughput_mbps --where run_num=1 --where protocol=TCP
                """
        )

        @Argument(help: "The file.", completion: .file())
        var path: String

        @Option(help: "The name that scenarios use.")
        var name: String

        @Flag(help: "Columns are separated by commas, and the first line names them.")
        var csv = false

        @Option(help: "The column of times: its name or number.")
        var time = "1"

        @Option(help: "The column of rates: its name or number.")
        var rate = "2"

        @Option(help: "What rates are given in: bit/s, kbit/s, Mbit/s, Gbit/s or MB/s.")
        var unit = "Mbit/s"

        @Option(help: "What times are given in: s or ms.")
        var timeUnit = "s"

        @Option(help: "Whether a rate holds from its time on (start) or until it (end).")
        var stamp = "start"

        @Option(help: "What comes after the end: repeat or hold.")
        var ending = "repeat"

        @Option(name: .customLong("where"), help: "Only lines with this: COLUMN=TEXT.")
        var filters: [String] = []

        func run() throws {
            let trace = try DatasetCommand.attempt { () throws(DataSetError) in
                try RateTraceFile.read(path, try format(), ending: try ImportTrace.word(ending))
            }
            let file = path.split(separator: "/").last.map(String.init) ?? path
            let kept = try DatasetCommand.attempt { () throws(DataSetError) in
                try DatasetCommand.catalogue.keep(trace, named: name, source: file)
            }
            print("\(kept)  \(trace.length), mean \(trace.mean), content \(trace.digest)")
        }

        private func format() throws(DataSetError) -> RateTraceFile.Format {
            let columns = TimeRateColumns(
                rateUnit: try ImportTrace.word(unit),
                timeUnit: try ImportTrace.word(timeUnit),
                stamp: try ImportTrace.word(stamp),
                timeColumn: time,
                rateColumn: rate,
                hasHeader: csv,
                filters: try filters.map { (text) throws(DataSetError) in
                    let parts = text.split(separator: "=", maxSplits: 1).map(String.init)
                    guard parts.count == 2 else {
                        throw .badRequest("'\(text)' is not COLUMN=TEXT")
                    }
                    return TimeRateColumns.Filter(column: parts[0], value: parts[1])
                }
            )
            return columns == TimeRateColumns() ? .automatic : .columns(columns)
        }

        /// A word of a list, or an error that gives the list.
        private static func word<Word: RawRepresentable & CaseIterable>(
            _ text: String
        ) throws(DataSetError) -> Word where Word.RawValue == String {
            guard let word = Word(rawValue: text) else {
                let known = Word.allCases.map(\.rawValue).joined(separator: ", ")
                throw .badRequest("'\(text)' is none of \(known)")
            }
            return word
        }
    }

    struct ImportRegions: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "regions",
            abstract: "Prints a topology made of measured round trips and throughputs.",
            discussion: """
                The tables are those of Skyplane. Without regions, their names are printed.

                Example:
                  novalab dataset import regions --rtt rtt.csv --throughput throughput.csv \
                    aws:us-east-1 gcp:europe-west1-b
                """
        )

        @Option(help: "The table of round trips.", completion: .file())
        var rtt: String

        @Option(help: "The table of throughputs.", completion: .file())
        var throughput: String

        @Option(help: "The network tier whose lines count.")
        var tier = "PREMIUM"

        @Argument(help: "At least two regions.")
        var regions: [String] = []

        func run() throws {
            let tables = try DatasetCommand.attempt { () throws(DataSetError) in
                (
                    try RegionTable.read(rtt, .roundTrip, tier: tier),
                    try RegionTable.read(throughput, .throughput, tier: tier)
                )
            }
            guard !regions.isEmpty else {
                for region in tables.1.regions { print(region) }
                return
            }
            let known = tables.1.regions
            if let stranger = regions.first(where: { !known.contains($0) }) {
                throw CommandFailure(
                    code: 66,
                    message: "\(throughput) has no region '\(stranger)'"
                )
            }
            let files = [rtt, throughput].map { $0.split(separator: "/").last ?? "" }
            let (text, missing) = RegionTable.topology(
                of: regions,
                roundTrips: tables.0,
                throughputs: tables.1,
                source: "\(files[0]) and \(files[1]), tier \(tier), medians of the pair"
            )
            for pair in missing { printError("no values for \(pair.from) -> \(pair.to)") }
            print(text, terminator: "")
        }
    }
}
