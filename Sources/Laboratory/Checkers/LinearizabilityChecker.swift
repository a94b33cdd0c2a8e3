/// Decides whether a history is linearizable: whether each operation can be given a point between
/// its call and its return such that, in the order of the points, every answer is what the model
/// would give (Herlihy and Wing, TOPLAS 1990). An operation without a return may have a point
/// anywhere after its call, or none.
public struct LinearizabilityChecker<Model: SequentialModel>: Sendable {
    public var model: Model
    public var limits: LinearizabilityLimits
    /// Leaves out unanswered operations that nobody observed, where the model says which those are.
    public var dropsUnobserved: Bool
    /// Cuts the search where an answer needs what nothing can bring about any more.
    public var usesForesight: Bool
    /// Spends a few steps without foresight first, which most histories need no more than.
    public var triesEasyFirst = true
    /// Looks for the shortest failing prefix of a history that is not linearizable.
    public var locatesFailure: Bool

    public init(
        _ model: Model,
        limits: LinearizabilityLimits = LinearizabilityLimits(),
        dropsUnobserved: Bool = true,
        usesForesight: Bool = true,
        locatesFailure: Bool = true
    ) {
        self.model = model
        self.limits = limits
        self.dropsUnobserved = dropsUnobserved
        self.usesForesight = usesForesight
        self.locatesFailure = locatesFailure
    }

    /// - Parameter history: operations in any order; positions of calls and returns are unique.
    public func check(
        _ history: [ObservedOperation<Model.Operation>]
    ) -> LinearizabilityReport {
        let parts = model.partition(history.map(\.operation)).map { part in
            part.sorted { history[$0].called < history[$1].called }
        }
        var report = LinearizabilityReport(verdict: .linearizable)
        var failing: [(part: [Int], from: Int)] = []
        for part in parts {
            let search = searched(history, part, cut: .max, &report)
            report.steps += search.steps
            report.configurations += search.configurations
            report.states += search.stateCount
            report.parts += 1
            switch search.ending {
            case .linearizable: report.linearizations.append(search.linearization)
            case .notLinearizable: failing.append((part, search.reached))
            case .stopped(let bound):
                if failing.isEmpty { report.verdict = .unknown(bound) }
            }
        }
        guard !failing.isEmpty else {
            if !report.verdict.isPass { report.linearizations = [] }
            return report
        }
        report.verdict = .notLinearizable
        report.linearizations = []
        for (part, from) in failing where locatesFailure {
            // Only a prefix that ends before the best one so far is of interest.
            let bound = report.failure?.end ?? .max
            guard let found = shortest(history, part, from: from, before: bound, &report) else {
                continue
            }
            report.failure = found
        }
        return report
    }

    // MARK: - One search

    private struct Searched {
        var ending: LinearizabilitySearch<Model>.Ending
        var steps: Int
        var configurations: Int
        var stateCount: Int
        /// The order that was found, or the deepest one.
        var linearization: [Int]
        var stuck: Int?
        /// The position of the furthest return that was not passed.
        var reached: Int
    }

    private func searched(
        _ history: [ObservedOperation<Model.Operation>],
        _ part: [Int],
        cut: Int,
        usesForesight: Bool? = nil,
        _ report: inout LinearizabilityReport
    ) -> Searched {
        let foresees = usesForesight ?? self.usesForesight
        guard foresees else { return search(history, part, cut, false, limits, &report) }
        // Most histories are right and easy; those need no foresight, which has its price.
        var few = limits
        few.steps = triesEasyFirst ? min(limits.steps, 2 * part.count + 64) : 0
        let first = search(history, part, cut, false, few, &report)
        guard case .stopped = first.ending else { return first }
        var scratch = LinearizabilityReport(verdict: .linearizable)
        var second = search(history, part, cut, true, limits, &scratch)
        second.steps += first.steps
        return second
    }

    private func search(
        _ history: [ObservedOperation<Model.Operation>],
        _ part: [Int],
        _ cut: Int,
        _ usesForesight: Bool,
        _ limits: LinearizabilityLimits,
        _ report: inout LinearizabilityReport
    ) -> Searched {
        let problem = SearchProblem(
            model,
            part.map { history[$0] },
            indices: part,
            cut: cut,
            dropsUnobserved: dropsUnobserved,
            usesForesight: usesForesight,
            dropped: &report.dropped
        )
        var search = LinearizabilitySearch(problem, limits)
        let ending = search.run()
        let stuck = search.stuck
        return Searched(
            ending: ending,
            steps: search.steps,
            configurations: search.configurations,
            stateCount: search.stateCount,
            linearization: ending == .linearizable
                ? search.foundLinearization : search.linearization,
            stuck: stuck,
            reached: stuck.flatMap { history[$0].returned } ?? -1
        )
    }

    // MARK: - The shortest failing prefix

    /// Linearizability is closed under prefixes, so the end of the shortest failing prefix is found
    /// by bisection over the returns. The furthest return that the search of the whole part was
    /// stuck at bounds it from below: everything before it was explained.
    private func shortest(
        _ history: [ObservedOperation<Model.Operation>],
        _ part: [Int],
        from: Int,
        before: Int,
        _ report: inout LinearizabilityReport
    ) -> LinearizabilityFailure? {
        let ends = part.compactMap { history[$0].returned }.filter { $0 >= from }.sorted()
        var scratch = LinearizabilityReport(verdict: .linearizable)
        func fails(_ end: Int) -> LinearizabilitySearch<Model>.Ending {
            let search = searched(history, part, cut: end, &scratch)
            report.prefixSteps += search.steps
            return search.ending
        }
        guard !ends.isEmpty else { return nil }
        // Mostly it is the first one.
        var low = 0
        var high = ends.count - 1
        var isMinimal = true
        var probe = 0
        while low < high {
            switch fails(ends[probe]) {
            case .notLinearizable: high = probe
            case .linearizable: low = probe + 1
            case .stopped:
                // What is not known to be linearizable may hold a shorter failing prefix.
                isMinimal = false
                low = probe + 1
            }
            probe = (low + high) / 2
        }
        guard ends[high] < before else { return nil }
        return explained(history, part, end: ends[high], isMinimal: isMinimal, &report)
    }

    /// The failing prefix with the deepest order that was found for it.
    private func explained(
        _ history: [ObservedOperation<Model.Operation>],
        _ part: [Int],
        end: Int,
        isMinimal: Bool,
        _ report: inout LinearizabilityReport
    ) -> LinearizabilityFailure {
        var scratch = LinearizabilityReport(verdict: .linearizable)
        var best = searched(history, part, cut: end, &scratch)
        report.prefixSteps += best.steps
        if usesForesight {
            // Without foresight the search goes on to where an answer really fails, which is what a
            // person wants to see; it gets as many steps as are cheap.
            var patient = self
            patient.limits.steps = min(limits.steps, 20_000)
            let other = patient.searched(
                history,
                part,
                cut: end,
                usesForesight: false,
                &scratch
            )
            report.prefixSteps += other.steps
            if other.reached >= best.reached { best = other }
        }
        let last = part.first { history[$0].returned == end }
        return LinearizabilityFailure(
            part: part,
            end: end,
            isMinimal: isMinimal,
            linearized: best.linearization,
            stuck: best.stuck ?? last ?? part[0],
            state: model.describe(state(after: best.linearization, history, part, end))
        )
    }

    /// The state after some operations in order, as the prefix knows them.
    private func state(
        after order: [Int],
        _ history: [ObservedOperation<Model.Operation>],
        _ part: [Int],
        _ end: Int
    ) -> Model.State {
        var state = model.initialState(of: part.map { history[$0].operation })
        for index in order {
            let observed = history[index]
            let isAnswered = observed.returned.map { $0 <= end } ?? false
            let operation =
                isAnswered ? observed.operation : model.unanswered(observed.operation)
            if let operation, let next = model.step(state, operation) { state = next }
        }
        return state
    }
}
