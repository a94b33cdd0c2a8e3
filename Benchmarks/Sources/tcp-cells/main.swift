// The cells of docs/tcp-calibration.md: the model beside Linux.
//
//   tcp-cells [SEEDS]                                   the whole table, ten seeds by default
//   tcp-cells cell cubic|bbr LOSS% STREAMS SEED         one run: goodput (Mbit/s), round trip (ms),
//                                                       queue drops (%), Jain's index, CPU seconds
//   tcp-cells list                                      the cells: control, loss, streams, goodput,
//                                                       round trip of Linux
import Glibc
import Machines

/// Processor time of this thread.
func cpuSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

func fixed(_ value: Double, _ digits: Int, width: Int = 0) -> String {
    let scale = (0..<digits).reduce(1.0) { scale, _ in scale * 10 }
    let scaled = Int((value.magnitude * scale).rounded())
    var text = "\(scaled / Int(scale))"
    if digits > 0 {
        let rest = "\(scaled % Int(scale))"
        text += "." + String(repeating: "0", count: digits - rest.count) + rest
    }
    if value < 0, scaled > 0 { text = "-" + text }
    return String(repeating: " ", count: max(0, width - text.count)) + text
}

func fail(_ message: String) -> Never {
    let line = message + "\n"
    _ = line.withCString { Glibc.write(2, $0, line.utf8.count) }
    exit(64)
}

func runOnce(_ cell: ReferenceCell, seed: UInt64) -> (result: CellResult, seconds: Double) {
    let start = cpuSeconds()
    var run = CellRun(cell, seed: seed)
    let result = run.run(cell)
    return (result, cpuSeconds() - start)
}

func printTable(seeds: Int) {
    print(
        """
        | control | loss | streams | Linux Mbit/s | model | deviation | Linux RTT | model \
        | queue drops | model | Jain | model | real time |
        |---|---|---|---|---|---|---|---|---|---|---|---|---|
        """
    )
    var errors = 0.0
    for cell in ReferenceCell.all {
        let runs = (1...seeds).map { runOnce(cell, seed: UInt64($0)) }
        func mean(_ value: (CellResult) -> Double) -> Double {
            runs.map { value($0.result) }.reduce(0, +) / Double(seeds)
        }
        let goodput = mean { $0.goodput }
        let spread =
            mean { ($0.goodput - goodput) * ($0.goodput - goodput) }
            * Double(seeds) / Double(max(1, seeds - 1))
        let deviation = 100 * (goodput - cell.goodput) / cell.goodput
        errors += deviation.magnitude
        let seconds = runs.map(\.seconds).reduce(0, +) / Double(seeds)
        let drops = cell.drops.map { fixed($0, 1) + " %" } ?? "–"
        let fairness = cell.fairness.map { fixed($0, 2) } ?? "–"
        print(
            """
            | \(cell.control.rawValue) | \(fixed(cell.loss, 1)) % | \(cell.streams) \
            | \(fixed(cell.goodput, 1)) \
            | \(fixed(goodput, 2)) ± \(fixed(spread.squareRoot(), 2)) \
            | \(fixed(deviation, 1)) % | \(fixed(cell.roundTrip, 0)) \
            | \(fixed(mean { $0.roundTrip }, 1)) \
            | \(drops) | \(fixed(mean { $0.drops }, 1)) % \
            | \(fairness) | \(fixed(mean { $0.fairness }, 2)) \
            | \(fixed(CellRun.virtualSeconds / seconds, 0))x |
            """
        )
    }
    print("mean error of goodput: \(fixed(errors / Double(ReferenceCell.all.count), 2)) %")
}

let arguments = CommandLine.arguments.dropFirst()
switch arguments.first {
case "list":
    for cell in ReferenceCell.all {
        print(
            cell.control.rawValue,
            fixed(cell.loss, 1),
            cell.streams,
            fixed(cell.goodput, 1),
            fixed(cell.roundTrip, 0)
        )
    }
case "cell":
    let rest = Array(arguments.dropFirst())
    guard rest.count == 4, let control = CongestionControl(rawValue: rest[0]),
        let loss = Double(rest[1]), (0..<100).contains(loss), let streams = Int(rest[2]),
        (1...256).contains(streams), let seed = UInt64(rest[3])
    else { fail("usage: tcp-cells cell cubic|bbr LOSS% STREAMS SEED") }
    let cell = ReferenceCell(
        control: control,
        loss: loss,
        streams: streams,
        goodput: 0,
        roundTrip: 0
    )
    let (result, seconds) = runOnce(cell, seed: seed)
    print(
        fixed(result.goodput, 3),
        fixed(result.roundTrip, 2),
        fixed(result.drops, 3),
        fixed(result.fairness, 4),
        fixed(seconds, 4)
    )
case nil:
    printTable(seeds: 10)
default:
    guard let seeds = arguments.first.flatMap(Int.init), (1...1000).contains(seeds) else {
        fail("usage: tcp-cells [SEEDS] | list | cell cubic|bbr LOSS% STREAMS SEED")
    }
    printTable(seeds: seeds)
}
