import Determinism
import JSON
import Testing
import Units

/// Goal: what is written is JSON, byte for byte the same, and what is read is taken strictly: bytes of any
/// kind end with a value or a problem.
/// Method: values with every kind in both forms; texts that are hard to write, there and back; lines with
/// one mistake each; random bytes and random changes of a right line.
@Suite struct JSONValueTests {
    private static let value = JSONValue.object([
        ("b", .boolean(true)), ("a", .list([.integer(-3), .real(0.5), .null])),
        ("none", .list([])), ("empty", .object([])), ("far", .real(.infinity)),
        ("text", .optional("x")), ("missing", .optional(nil)),
    ])

    @Test func membersKeepTheirOrder() {
        #expect(
            Self.value.compact
                == #"{"b":true,"a":[-3,0.5,null],"none":[],"empty":{},"far":null,"text":"x","missing":null}"#
        )
        #expect(
            Self.value.indented()
                == """
                {
                  "b": true,
                  "a": [
                    -3,
                    0.5,
                    null
                  ],
                  "none": [],
                  "empty": {},
                  "far": null,
                  "text": "x",
                  "missing": null
                }
                """
        )
    }

    @Test func textsComeBack() throws {
        for text in [
            "", "plain", "quote \" and \\", "line\nend\r\ttab", "\u{0}\u{1f}\u{7f}", "é ÿ 漢 😀",
        ] {
            let line = Array("{\"t\":\(JSONValue.quoted(text))}".utf8)
            guard case .text(let read)? = try JSONLine.object(line)["t"] else {
                Issue.record("'\(text)' is no text")
                continue
            }
            #expect(read == text)
        }
    }

    @Test(arguments: [
        "", "[]", "{", "{\"a\":1", "{\"a\":1}}", "{\"a\":1,\"a\":2}", "{\"a\":1.5}", "{\"a\":nul}",
        "{\"a\":\"\\x\"}", "{\"a\":\"\\ud800\"}", "{\"a\":[[[[[[1]]]]]]}", "{\"a\":{}}", "{a:1}",
        "{\"a\":99999999999999999999}",
    ])
    func mistakesAreProblems(_ line: String) {
        #expect(throws: JSONProblem.self) { try JSONLine.object(Array(line.utf8)) }
    }

    @Test func bytesOfAnyKindEndWithAValueOrAProblem() {
        var random = SeededRandom(seed: 3, entity: EntityID(.experiment, 0), purpose: "bytes")
        let right = Array(#"{"time":12,"key":"a\u00e9","entries":[["a","b"],[]],"x":null}"#.utf8)
        for round in 0..<20_000 {
            var line = right
            if round % 4 == 0 {
                line = (0..<random.below(40)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            } else {
                for _ in 0...random.below(3) {
                    line[Int(random.below(UInt64(line.count)))] = UInt8(
                        truncatingIfNeeded: random.next()
                    )
                }
            }
            _ = try? JSONLine.object(line)
        }
    }
}
