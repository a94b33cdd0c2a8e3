import Foundation
import Scenarios
import Testing

/// Scenario texts that the tests share.
enum Samples {
    /// The smallest scenario: everything that has a default is left out.
    static let minimal = """
        version: 1
        name: minimal
        topology:
          regions: {a: {nodes: 2}, b: {}}
          links:
            - between: [a, b]
              rtt: 80 ms
              rate: 100 Mbit/s
        workload: {kind: bulk, duration: {measure: 20 s}}

        """

    /// Uses every key of the language at least once.
    static let complete = """
        version: 1
        name: complete
        seed: 0x9A3F
        environment: sockets
        hardware: lab-vm
        x-notes: {anything: [goes, here]}
        x-path: &path
          jitter: {distribution: lognormal, scale: 2 ms, sigma: 0.1, reorder: true}
          loss: {model: gilbert, rate: 0.1 %, burst: 8}
          queue: {kind: droptail, limit: 1.5 BDP}
          background: 30 %
        topology:
          regions:
            us-east: {nodes: 3, labels: [rack-1, primary]}
            eu-west: {nodes: 2, labels: [rack-2]}
            ap-south:
              local: {delay: 50 us, rate: 25 Gbit/s, jitter: {distribution: normal, scale: 5 us}}
          links:
            - between: [us-east, eu-west]
              name: atlantic
              rtt: 76 ms
              rate: 200 Mbit/s
              <<: *path
            - {from: us-east, to: ap-south, delay: 90.5 ms, rate: 2.5 Gbit/s,
               jitter: {distribution: uniform, scale: 1 ms}, loss: {model: bernoulli, rate: 2 %},
               queue: {limit: 50 ms}}
            - {from: ap-south, to: us-east, delay: 91 ms, rate: 800 kbit/s,
               jitter: {distribution: pareto, scale: 1 ms, shape: 2.5}, queue: {limit: 64 KiB}}
            - {between: [eu-west, ap-south], rtt: 150 ms, rate: 1 Gbit/s,
               jitter: {distribution: lognormal, sigma: 0.1}, name: "east -> \\"west\\""}
        workload:
          kind: migration
          from: us-east
          to: eu-west
          memory: {dataset: sqlite-workload}
          count: 10
          concurrency: 2
          deadline: 2 h
        system:
          transport: {streams: auto, congestion: newreno, chunk: 128 KiB, window: 16 MiB, tls: true, pacing: 20 Mbit/s, mode: auto}
          migration: {max-rounds: 12, downtime-goal: 150 ms}
        variants:
          baseline: {transport: {streams: 1}, encoding: none}
          dwcp: {encoding: {kind: hierarchical, level: 9, batch-pages: 128}}
        faults:
          - {at: 30 s, for: 10..20 s, kind: net.partition, mode: one-way, direction: inbound,
             select: {region: eu-west, pick: one}}
          - {kind: net.partition, at: 1..2 min, for: 1 s, select: {}}
          - {kind: net.partition, mode: isolate, every: 10 min, for: 1 s, select: {pick: 2}}
          - {kind: node.crash, probability: 0.1 %, for: 5 s, select: {role: source, pick: 30 %}}
          - {kind: node.restart, every: 15 min, select: {label: rack-1}}
          - {kind: node.pause, at: 1 s, for: 300 ms, select: {region: eu-west, pick: all}}
          - {kind: net.down, at: 5 s, direction: outbound, select: {link: atlantic}}
          - {kind: net.delay, at: 5 s, for: 2 s, delay: 200 ms, direction: inbound, select: {}}
          - {kind: net.mtu-black-hole, at: 5 s, for: 2 s, limit: 1400 B, select: {link: atlantic}}
          - {kind: net.loss, every: 30 min, for: 2 s, loss: {model: bernoulli, rate: 50 %}}
        invariants: [memory-identical-after-migration, link-rate-respected]
        targets:
          - {metric: migration-time, compare: [dwcp, baseline], expect: "speedup > 3x",
             confidence: 99 %}
          - {metric: downtime, variant: dwcp, expect: "p(99.5) < 500 ms"}
          - {metric: utilisation, link: atlantic, region: us-east, expect: mean >= 85 %}
          - {metric: goodput, expect: "min > 50 MB/s"}
          - {metric: downtime, compare: [dwcp, baseline], expect: "difference <= -12.5 ms"}
          - {metric: encode-rate, expect: "median > 500 MB/s"}
          - {metric: error-rate, expect: "max == 0 %"}
          - {metric: throughput, expect: "mean > 50.5 req/s"}
          - {metric: downtime, expect: "count >= 10"}
          - {metric: downtime, expect: "rate != 3 /s"}
        budget: {wall: 10 min, replications: {min: 10, max: 100, relative-half-width: 5 %}}

        """

    /// Uses every key of the workload kind `boot` and its faults.
    static let boot = """
        version: 1
        name: boot
        topology:
          regions: {a: {nodes: 2}, b: {nodes: 3}}
        workload:
          kind: boot
          region: b
          variation: {distribution: lognormal, sigma: 0.25}
          stagger: 500 ms..2 s
          cores: 8
          crash-points: every-step
          deadline: 5 min
          shared:
            store: {servers: 4, service-time: 5 ms, distribution: constant, queue: 10, timeout: 2 s,
                    rtt: 0 ms}
            signer: {service-time: 40 ms}
          components:
            configuration: {phase: pre, cpu: 300 ms, origin: recorded}
            cache:
              {phase: core, wants: [configuration], cpu: 100 ms, wait: 2 s, origin: plans,
               split: recorded, part-of: cache, criticality: degrade, timeout: 4 s,
               retry: {attempts: 3, delay: 500 ms, factor: 2, jitter: 10 %}, readiness: background,
               uses: {store: 2, signer: 1}}
            api: {phase: service, needs: [cache], wait: 1 s, origin: assumed, readiness: background}
        system: {initialization: {order: dependency-ready, boot-deadline: 30 s,
                 rollback-deadline: 10 s}}
        variants:
          one: {initialization: {order: sequential}}
          two: {initialization: {order: level-parallel, concurrency: 2}}
        faults:
          - {kind: init.crash, at: 1 s, component: api, point: after, for: 2 s}
          - {kind: init.crash, probability: 1 %, phase: core, for: 1..2 s, select: {pick: 2}}
          - {kind: init.dependency-slow, at: 1 s, service: store, factor: 10, for: 3 s}
          - {kind: init.dependency-down, every: 1 min, service: signer, silence: silent, for: 1 s}
          - {kind: init.config-torn, at: 0 s, for: 5 s, select: {region: b, role: node}}
          - {kind: init.fail, at: 0 s, component: cache, attempts: 2, select: {pick: 50 %}}
          - {kind: init.slow, at: 0 s, component: api, factor: 1.5}
          - {kind: node.restart, at: 1 s}
        invariants: [boot-outcome-matches-criticality, rollback-leaves-nothing,
                     boot-survives-crash-points]
        targets:
          - {metric: phase-time, phase: core, expect: "p(95) < 20 s"}
          - {metric: boot-speedup, variant: one, expect: "mean > 2.8"}
          - {metric: boot-failures, expect: "max == 0"}

        """

    /// The smallest boot of the project's own node.
    static let nodeBoot = """
        version: 1
        name: node-boot
        topology: {regions: {a: {nodes: 2}}}
        workload: {kind: boot, graph: node, costs: lab, start: warm,
                   crash-points: every-disk-operation}
        invariants: [identity-survives-crashes, no-half-migration]

        """

    /// The folder `scenarios` of the project.
    static let folder = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("scenarios")

    /// The shipped scenario files, sorted.
    static let shipped: [URL] = {
        var files: [URL] = []
        for wing in ["smoke", "study", "chaos", "regression"] {
            let names = try? FileManager.default.contentsOfDirectory(
                at: folder.appendingPathComponent(wing),
                includingPropertiesForKeys: nil
            )
            files += (names ?? []).filter { $0.pathExtension == "yaml" }
        }
        return files.sorted { $0.path < $1.path }
    }()

    /// `text` as a scenario; records what is wrong with it as a test failure.
    static func parsed(_ text: String) throws -> Scenario {
        do {
            return try ScenarioFile.parse(text, file: "test.yaml")
        } catch {
            Issue.record("\(error)")
            throw error
        }
    }

    /// What is wrong with `text`.
    static func diagnostics(_ text: String) -> [ScenarioDiagnostic] {
        do {
            _ = try ScenarioFile.parse(text, file: "test.yaml")
            return []
        } catch {
            return error.diagnostics
        }
    }
}
