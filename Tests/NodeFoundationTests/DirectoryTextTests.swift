import Determinism
import Effects
import NodeFoundation
import Testing

// Goal: the list of nodes is read strictly. Method: a good file, a table of bad ones with their
// messages, seeded random changes.
@Suite struct DirectoryTextTests {
    private let good = """
        nodes:
          - name: alpha
            region: eu
            control: 10.0.0.1:7400
            dwcp: 10.0.0.1:7401
            probes: 10.0.0.1:7402
          - {name: beta, region: us, control: "[::1]:1", dwcp: "b:2", probes: "b:1"}
        """

    private func messages(_ text: String) -> [String] {
        do {
            _ = try DirectoryText.read(bytes: Array(text.utf8), path: "nodes.yaml")
            return []
        } catch {
            return error.diagnostics.map(\.description)
        }
    }

    @Test func nodesAreListed() throws {
        let nodes = try DirectoryText.read(bytes: Array(good.utf8), path: "nodes.yaml")
        #expect(nodes.map(\.name) == ["alpha", "beta"])
        #expect(nodes[1].control == SocketEndpoint(host: "::1", port: 1))
        #expect(try DirectoryText.read(bytes: Array("nodes: []".utf8), path: "n").isEmpty)
    }

    @Test func mistakesHaveTheirPlace() {
        #expect(messages("nodes:") == ["nodes.yaml:1:7: nodes: nothing; expected a list"])
        #expect(
            messages("node: []")
                == ["nodes.yaml:1:1: unknown key 'node'; did you mean 'nodes'?"]
        )
        #expect(
            messages(good.replacing("name: beta", with: "name: alpha"))
                == ["nodes.yaml:7:12: name: 'alpha' is in line 2 already"]
        )
        #expect(
            messages(good.replacing("b:2", with: "10.0.0.1:7401"))
                == ["nodes.yaml:7:56: dwcp: '10.0.0.1:7401' is another node's dwcp already"]
        )
        #expect(
            messages(good.replacing("    dwcp: 10.0.0.1:7401\n", with: "    dwpc: 1\n"))
                == [
                    "nodes.yaml:5:5: unknown key 'dwpc'; did you mean 'dwcp'?",
                    "nodes.yaml:2:5: 'dwcp' is missing",
                ]
        )
        #expect(messages(good.replacing("b:1", with: "b:0")).count == 1)
        #expect(messages("nodes: [a]").count == 1)
    }

    @Test func randomTextsAreReadOrRefused() {
        var random = SeededRandom(stateFrom: 13)
        let signs = Array("{}[]:,-?&*#|>'\"%@`!\n\t 0189.abz".utf8)
        let text = Array(good.utf8)
        var refused = 0
        for _ in 0..<100_000 {
            var bytes = text
            for _ in 0...random.below(3) {
                let place = Int(random.below(UInt64(bytes.count)))
                bytes[place] = signs[Int(random.below(UInt64(signs.count)))]
            }
            if random.below(8) == 0 { bytes.removeLast(Int(random.below(UInt64(bytes.count)))) }
            do {
                _ = try DirectoryText.read(bytes: bytes, path: "f")
            } catch {
                refused += 1
            }
        }
        #expect(refused > 10_000 && refused < 100_000, "\(refused)")
    }
}
