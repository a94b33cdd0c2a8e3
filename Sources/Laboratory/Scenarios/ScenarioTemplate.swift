/// A commented scenario to start from.
public enum ScenarioTemplate {
    /// The template with this name in it; the name must be one that the language takes.
    public static func text(name: String) throws(ScenarioError) -> String {
        do {
            _ = try ScalarKind.name(name)
        } catch {
            var report = DiagnosticReport(file: "name", text: name)
            report.add(error, at: SourceLocation(line: 1, column: 1), path: "")
            throw ScenarioError(diagnostics: report.diagnostics)
        }
        return body.replacing("NAME", with: name)
    }

    private static let body = """
        # A scenario of NovaCron Lab. `novalab check FILE` finds mistakes, `novalab check --resolved
        # FILE` prints what would run, `novalab run FILE` gives a verdict. Every quantity has a unit.
        # The language is described in docs/scenario-language.md.
        version: 1
        name: NAME
        seed: 1                       # replications use seed, seed + 1, …
        environment: simulated        # simulated | sockets | rdma
        hardware: lab-vm              # a profile under scenarios/hardware

        topology:
          regions:
            here: {nodes: 1}
            there: {nodes: 1}
          links:
            - between: [here, there]  # or from: and to: with delay: for one direction
              rtt: 80 ms
              rate: 100 Mbit/s
              loss: none              # or {model: bernoulli, rate: 0.1 %}, {model: gilbert, …}
              jitter: none            # or {distribution: normal, scale: 2 ms}, …
              queue: {kind: droptail, limit: 1 BDP}

        # What the nodes do: echo, bulk, transfer, migration, boot or requests.
        workload:
          kind: bulk
          from: here
          to: there
          duration: {warmup: 5 s, measure: 20 s}

        # The configuration under test; each variant patches it.
        system: {transport: {congestion: cubic}}
        variants:
          one-stream: {transport: {streams: 1}}
          parallel: {transport: {streams: auto}}

        # What breaks, and when. `for` may be a range, drawn anew in every replication.
        faults: []
        #  - {kind: net.down, at: 10 s, for: 1..2 s, select: {region: there, pick: one}}

        # What must hold in every run.
        invariants: [transfer-identical, link-rate-respected]

        # What decides about GO: the whole confidence interval has to clear the threshold.
        targets:
          - {metric: utilisation, variant: parallel, expect: "mean > 85 %", confidence: 95 %}

        budget: {wall: 2 min, replications: {min: 10, max: 30, relative-half-width: 5 %}}

        """
}
