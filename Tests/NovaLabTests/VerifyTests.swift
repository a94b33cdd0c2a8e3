import Foundation
import Testing

/// Goal: `verify` judges recorded histories, and its exit codes and pictures are as its help says.
/// Method: the built program on small files that are right, wrong, cut and hard.
@Suite struct VerifyTests {
    private static func history(read value: String) -> String {
        """
        {"time":1,"process":0,"type":"invoke","operation":"put","key":"a","value":"1"}
        {"time":2,"process":0,"type":"ok"}
        {"time":3,"process":1,"type":"invoke","operation":"get","key":"a"}
        {"time":4,"process":1,"type":"ok","value":\(value)}

        """
    }

    @Test func verdictsAreExitCodes() async throws {
        let lab = try Laboratory()
        let good = try lab.write(Self.history(read: "\"1\""), to: "good.jsonl")
        let bad = try lab.write(Self.history(read: "null"), to: "bad.jsonl")
        let right = try await lab.run(["verify", good])
        #expect(right.code == 0)
        #expect(right.output.contains("good.jsonl: linearizable, 2 operations in 1 part"))
        let wrong = try await lab.run(["verify", good, bad, "--picture", lab.path("bad.svg")])
        #expect(wrong.code == 10)
        #expect(wrong.output.contains("bad.jsonl: NOT linearizable"))
        #expect(wrong.output.contains("'get a → nothing' of process 1"))
        let picture = try String(contentsOfFile: lab.path("bad.svg"), encoding: .utf8)
        #expect(picture.hasPrefix("<svg") && picture.contains("get a → nothing"))
        let json = try await lab.run(["verify", bad, "--json"])
        #expect(json.code == 10)
        let items = try JSONSerialization.jsonObject(with: Data(json.output.utf8))
        let first = try #require((items as? [[String: Any]])?.first)
        #expect(first["verdict"] as? String == "not-linearizable")
        #expect(first["bound"] is NSNull)
    }

    @Test func filesThatAreNoHistoriesAreNamed() async throws {
        let lab = try Laboratory()
        let cut = try lab.write(String(Self.history(read: "null").dropLast(9)), to: "cut.jsonl")
        let ending = try await lab.run(["verify", cut])
        #expect(ending.code == 66)
        #expect(ending.errors.contains("cut.jsonl:4: expected"))
        #expect(try await lab.run(["verify", lab.path("none.jsonl")]).code == 66)
        #expect(try await lab.run(["verify"]).code == 64)
        let good = try lab.write(Self.history(read: "\"1\""), to: "good.jsonl")
        #expect(try await lab.run(["verify", good, good, "--merge"]).code == 66)
        #expect(try await lab.run(["verify", good, "--time-limit", "0"]).code == 64)
    }

    @Test func aBoundGivesTwo() async throws {
        let lab = try Laboratory()
        // Thirty clients write at once, and a read afterwards saw none of it.
        var lines: [String] = []
        for process in 0..<30 {
            lines.append(
                "{\"time\":\(process),\"process\":\(process),\"type\":\"invoke\","
                    + "\"operation\":\"append\",\"key\":\"a\",\"value\":\"\(process % 15)\"}"
            )
        }
        for process in 0..<30 {
            lines.append("{\"time\":100,\"process\":\(process),\"type\":\"ok\"}")
        }
        lines.append(
            "{\"time\":101,\"process\":0,\"type\":\"invoke\",\"operation\":\"get\",\"key\":\"a\"}"
        )
        lines.append("{\"time\":102,\"process\":0,\"type\":\"ok\",\"value\":\"0123456789\"}")
        let file = try lab.write(lines.joined(separator: "\n"), to: "hard.jsonl")
        let limits = ["--time-limit", "0.2", "--memory-limit", "64"]
        let ending = try await lab.run(["verify", file] + limits)
        #expect(ending.code == 2)
        #expect(ending.output.contains("unknown: the bound on"))
    }
}
