extension MetricCatalogue {
    /// What boots of nodes are measured by.
    static let bootMetrics = [
        MetricDefinition(
            name: "boot-time",
            unit: .seconds,
            direction: .lowerIsBetter,
            definition: """
                process start to READY, of one boot; after a crash it begins anew with the next \
                process
                """,
            boundDescription: """
                at least the critical path: the longest chain of dependencies by uncontended \
                component times
                """,
            boundSide: .lower,
            requiresBound: true,
            isNetworkDependent: false
        ),
        MetricDefinition(
            name: "phase-time",
            unit: .seconds,
            direction: .lowerIsBetter,
            definition: """
                first component of the phase started to last one that holds readiness ended, of \
                one boot; phases overlap
                """,
            boundDescription: "at least zero",
            boundSide: .lower,
            isNetworkDependent: false
        ),
        MetricDefinition(
            name: "boot-speedup",
            unit: .factor,
            direction: .higherIsBetter,
            definition: """
                sum of the uncontended times of the components that READY waits for / boot-time
                """,
            boundDescription: "that sum / critical path",
            boundSide: .upper,
            requiresBound: true,
            isNetworkDependent: false
        ),
        MetricDefinition(
            name: "cpu-share",
            unit: .percent,
            direction: .lowerIsBetter,
            definition: "CPU seconds of the node / (boot-time × cores)",
            boundDescription: "100 %",
            boundSide: .upper,
            possibleRange: 0...100.000_000_1,
            isNetworkDependent: false
        ),
        MetricDefinition(
            name: "boot-peak-memory",
            unit: .megabytes,
            direction: .lowerIsBetter,
            definition: "peak resident memory of the node's own process at READY; real boots only",
            boundDescription: "more than zero",
            boundSide: .lower,
            possibleRange: 0.001...Double.greatestFiniteMagnitude,
            environments: [.sockets],
            isNetworkDependent: false
        ),
        MetricDefinition(
            name: "boot-failures",
            unit: .count,
            direction: .lowerIsBetter,
            definition: """
                boots that were begun and never READY, those that a planned crash cut short left out
                """,
            boundDescription: "at least zero",
            boundSide: .lower,
            isNetworkDependent: false
        ),
    ]
}
