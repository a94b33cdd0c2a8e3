import Foundation
import KernelWorkloads

// kernel-gates                        runs the gated comparisons; exit code 1 when one fails
// kernel-gates digest WORKLOAD COUNT  processes COUNT events and prints the digest of their order
// kernel-gates rate WORKLOAD COUNT    prints millions of events per processor second

func usage() -> Never {
    let names = Workload.allCases.map(\.rawValue).joined(separator: "|")
    FileHandle.standardError.write(
        Data("usage: kernel-gates [digest|rate \(names) COUNT]\n".utf8)
    )
    exit(64)
}

func text(_ value: Double) -> String { String(format: "%.2f", value) }

func runGates() -> Bool {
    let gates = [
        Gate.hold(pending: 10_000, slice: 200_000, pairs: 41, required: 2.5),
        Gate.hold(pending: 1_000_000, slice: 200_000, pairs: 31, required: 1.5),
    ]
    for gate in gates {
        let sorted = gate.ratios.sorted()
        let spread = "\(text(sorted[sorted.count / 4]))…\(text(sorted[sorted.count * 3 / 4]))"
        print(
            gate.passes ? "ok  " : "FAIL",
            "\(gate.name): \(text(gate.median))x (quartiles \(spread), n=\(sorted.count)),",
            "required \(text(gate.required))x;",
            "\(text(gate.contender)) and \(text(gate.reference)) M events/s"
        )
    }
    return gates.allSatisfy(\.passes)
}

let arguments = CommandLine.arguments.dropFirst()
if arguments.isEmpty {
    exit(runGates() ? 0 : 1)
}
guard arguments.count == 3, let workload = Workload(rawValue: Array(arguments)[1]),
    let count = Int(Array(arguments)[2]), count > 0
else { usage() }
switch arguments.first {
case "digest":
    print(workload.run(count).digest)
case "rate":
    print(String(format: "%.6g", Double(count) / workload.run(count).seconds / 1e6))
default:
    usage()
}
