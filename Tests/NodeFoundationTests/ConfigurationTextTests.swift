import Determinism
import Effects
import Foundation
import Initialization
import NodeFoundation
import Testing
import Units

// Goal: a configuration is read exactly as documented, and everything that is wrong is told with
// its place and the name that was meant. Method: tables of texts and messages, every key through
// file and environment, every cut of a file, seeded random texts.
@Suite struct ConfigurationTextTests {
    private func read(
        _ text: String?,
        _ overrides: [(name: String, value: String)] = []
    ) throws(ConfigurationError) -> NodeConfiguration {
        try ConfigurationText.read(
            bytes: text.map { Array($0.utf8) },
            path: "node.yaml",
            overrides: overrides
        )
    }

    private func messages(
        _ text: String?,
        _ overrides: [(name: String, value: String)] = []
    ) -> [String] {
        do {
            _ = try read(text, overrides)
            return []
        } catch {
            return error.diagnostics.map(\.description)
        }
    }

    @Test func noFileMeansTheDefaults() throws {
        #expect(try read(nil) == NodeConfiguration())
        #expect(try read(nil, [("PATH", "/bin")]) == NodeConfiguration())
        #expect(try read("{}") == NodeConfiguration())
    }

    @Test func filesInYAMLAndJSONSayTheSame() throws {
        let yaml = """
            # R&D's node
            name: alpha
            data-directory: /srv/nova
            boot: {order: level-parallel, deadline: 1.5 min}
            cache:
              bytes: 64 MiB
              time-to-live: 250 ms
            environment: {mode: internet, probes: ["10.0.0.2:7402", "[::1]:9"]}
            dwcp: {streams: auto, compression-level: 9}
            jobs: {prune-tasks: "off", rotate-certificates: "1 2 * * 0"}
            """
        let json = """
            {"name": "alpha", "data-directory": "/srv/nova",
             "boot": {"order": "level-parallel", "deadline": "90 s"},
             "cache": {"bytes": "65536 KiB", "time-to-live": "0.25s"},
             "environment": {"mode": "internet", "probes": ["10.0.0.2:7402", "[::1]:9"]},
             "dwcp": {"streams": "auto", "compression-level": 9},
             "jobs": {"prune-tasks": "off", "rotate-certificates": "1 2 * * 0"}}
            """
        let configuration = try read(yaml)
        #expect(try read(json) == configuration)
        #expect(configuration.name == "alpha" && configuration.dataDirectory == "/srv/nova")
        #expect(configuration.boot.order == .levelParallel)
        #expect(configuration.boot.bootDeadline == .seconds(90))
        #expect(configuration.cache.bytes == .mebibytes(64))
        #expect(configuration.cache.timeToLive == .milliseconds(250))
        #expect(configuration.environment.mode == .internet)
        #expect(configuration.environment.probes[1] == SocketEndpoint(host: "::1", port: 9))
        #expect(configuration.dwcp.compressionLevel == 9 && configuration.dwcp.streams == nil)
        #expect(configuration.jobs.jobs.map(\.job) == [.rotateCertificates, .checkDatabase])
        #expect(configuration.jobs.jobs[0].schedule == "1 2 * * 0")
    }

    @Test(arguments: [
        ("databse:\n  file: a", "node.yaml:1:1: unknown key 'databse'; did you mean 'database'?"),
        (
            "database:\n  busy-timout: 2 s",
            "node.yaml:2:3: unknown key 'database.busy-timout'; did you mean "
                + "'database.busy-timeout'?"
        ),
        (
            "name: a\nlease: 3 s",
            "node.yaml:2:1: unknown key 'lease'; did you mean 'orchestration.lease'?"
        ),
        (
            "discovery:\n  period: 30",
            "node.yaml:2:11: discovery.period: '30' has no unit; expected a duration such as '30 s'"
        ),
        (
            "cache: {bytes: 64 MB5}",
            "node.yaml:1:16: cache.bytes: 'MB5' is not the unit of a size: TiB, GiB, MiB, KiB, TB, "
                + "GB, MB, kB, B; did you mean 'MB'?"
        ),
        (
            "orchestration: {workers: 0}",
            "node.yaml:1:26: orchestration.workers: '0' is out of range: 1 to 1024"
        ),
        (
            "logging: {level: warn}",
            "node.yaml:1:18: logging.level: 'warn' is none of trace, debug, info, notice, warning, "
                + "error, critical"
        ),
        ("database:", "node.yaml:1:10: 'database' holds nothing; expected a mapping"),
        ("name: [a]", "node.yaml:1:7: name: a list; expected letters, digits, `-`, `_`, `.`"),
        ("- a", "node.yaml:1:1: the file holds a list; expected a mapping"),
        ("name: a\nname: b", "node.yaml:1:1: 'name' is given twice in one mapping"),
        ("", "node.yaml: the file is empty"),
        ("# nothing\n", "node.yaml: the file is empty"),
        (
            "name: a\n\0\0",
            "node.yaml:2:1: a zero byte: the file was cut or overwritten"
        ),
        (
            "name: &x a\nregion: *x",
            "node.yaml:1:7: anchors are not understood; '&' may only stand in lines that begin "
                + "with '#'"
        ),
        (
            "data-directory: nova",
            "node.yaml:1:17: data-directory: 'nova' is not an absolute path"
        ),
        (
            "network: {control: \"a:1\"}\nhealth: {endpoint: \"a:1\"}",
            "node.yaml:2:20: health.endpoint and network.control are both a:1"
        ),
        (
            "security: {rotate-before: 90 d}",
            "node.yaml:1:27: a certificate of 90 d would be replaced 90 d before its end, always"
        ),
    ])
    func mistakesAreToldWithTheirPlace(_ text: String, _ message: String) {
        #expect(messages(text) == [message])
    }

    @Test func severalMistakesAreToldAtOnce() {
        let found = messages(
            "nmae: a\ncache: {bytes: 1}\njobs: {jitter: 5 parsec}\nfoo: 1",
            [("NOVACRON_CACHE_ENTRIES", "many"), ("NOVACRON_HEALTH_ENDPIONT", "a:1")]
        )
        #expect(found.count == 6, "\(found)")
        #expect(found[0].hasPrefix("node.yaml:1:1:") && found[1].hasPrefix("node.yaml:2:16:"))
        #expect(found[4] == "NOVACRON_CACHE_ENTRIES: 'many' is not a whole number")
        #expect(
            found[5]
                == "NOVACRON_HEALTH_ENDPIONT: no setting has this variable; did you mean "
                + "'NOVACRON_HEALTH_ENDPOINT'?"
        )
    }

    /// Each key as a file, and as a variable, gives the same; the variable goes before the file.
    @Test func everyKeyCanBeOverridden() throws {
        let changed: [(key: String, variable: String, file: String, text: String)] = [
            ("name", "NOVACRON_NAME", "beta", "beta"),
            ("boot.order", "NOVACRON_BOOT_ORDER", "sequential", "sequential"),
            ("network.control", "NOVACRON_NETWORK_CONTROL", "\"127.0.0.1:9000\"", "127.0.0.1:9000"),
            ("environment.answers-at", "NOVACRON_ENVIRONMENT_ANSWERS_AT", "\"a:9\"", "a:9"),
            ("environment.probes", "NOVACRON_ENVIRONMENT_PROBES", "[\"a:1\", \"b:2\"]", "a:1, b:2"),
            ("security.names", "NOVACRON_SECURITY_NAMES", "[]", ""),
            ("dwcp.streams", "NOVACRON_DWCP_STREAMS", "7", "7"),
            ("jobs.check-database", "NOVACRON_JOBS_CHECK_DATABASE", "\"1 1 * * 1\"", "1 1 * * 1"),
        ]
        for change in changed {
            let parts = change.key.split(separator: ".")
            let file =
                parts.count == 1
                ? "\(change.key): \(change.file)" : "\(parts[0]): {\(parts[1]): \(change.file)}"
            let fromFile = try read(file)
            let fromVariable = try read(nil, [(change.variable, change.text)])
            #expect(fromFile == fromVariable && fromFile != NodeConfiguration(), "\(change.key)")
        }
        #expect(try read("name: a", [("NOVACRON_NAME", "b")]).name == "b")
        #expect(try read("name: a", [("NOVACRON_CONFIG", "/x")]).name == "a")
    }

    /// All defaults, written as variables, give the defaults again; no two keys share one.
    @Test func defaultsReadBack() throws {
        let rows = ConfigurationSchema.markdown.split(separator: "\n").dropFirst(2)
        var overrides: [(name: String, value: String)] = []
        for row in rows {
            let cells = row.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
            let key = cells[0].trimmingCharacters(in: ["`"])
            let name = key.uppercased().replacing(".", with: "_").replacing("-", with: "_")
            let value = cells[2].trimmingCharacters(in: ["`"])
            overrides.append(("NOVACRON_\(name)", value == "[]" ? "" : value))
        }
        #expect(Set(overrides.map(\.name)).count == rows.count && rows.count > 40)
        #expect(try read(nil, overrides) == NodeConfiguration())
    }

    @Test func theHandbookHasTheTable() throws {
        let root = URL(filePath: #filePath).resolvingSymlinksInPath().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let page = try String(
            contentsOf: root.appending(path: "docs/node-configuration.md"),
            encoding: .utf8
        )
        #expect(
            page.contains(ConfigurationSchema.markdown),
            "docs/node-configuration.md should hold\n\(ConfigurationSchema.markdown)"
        )
    }

    @Test func theSchemaIsJSONWithAllSections() throws {
        let schema = try #require(
            try JSONSerialization.jsonObject(with: Data(ConfigurationSchema.json.utf8))
                as? [String: Any]
        )
        let properties = try #require(schema["properties"] as? [String: Any])
        #expect(properties.count == 16, "\(properties.keys.sorted())")
        let database = try #require(properties["database"] as? [String: Any])
        #expect((database["properties"] as? [String: Any])?["busy-timeout"] != nil)
    }

    @Test func hugeAndDeepFilesAreRefused() {
        let large = "name: " + String(repeating: "a", count: ConfigurationText.sizeLimit)
        #expect(messages(large) == ["node.yaml: the file has more than 64 KiB"])
        let deep = "name: " + String(repeating: "[", count: 30_000)
        #expect(messages(deep).first?.contains("nested too deeply") == true)
        let dashes = "name:\n" + String(repeating: "- ", count: 900) + "a"
        #expect(messages(dashes).first?.contains("nested deeper than") == true)
        let brackets =
            "name: " + String(repeating: "[", count: 40) + String(repeating: "]", count: 40)
        #expect(messages(brackets).first?.contains("nested deeper than") == true)
    }

    /// A file that was cut anywhere gives a configuration or an error with a place, never anything
    /// else.
    @Test func everyCutIsHarmless() {
        let text = """
            name: alpha
            boot: {order: level-parallel, deadline: 90 s}
            cache:
              bytes: 64 MiB
            environment: {probes: ["10.0.0.2:7402"]}
            """
        let bytes = Array(text.utf8)
        for end in bytes.indices {
            let cut = String(decoding: bytes[..<end], as: UTF8.self)
            for message in messages(cut) { #expect(message.hasPrefix("node.yaml")) }
        }
        #expect(!messages(String(text.dropLast(3))).isEmpty)
    }

    /// Random bytes, random changes of a good file, and random variables never trap.
    @Test func randomTextsAreReadOrRefused() {
        var random = SeededRandom(stateFrom: 11)
        let good = Array(
            """
            name: alpha
            cache: {bytes: 64 MiB, time-to-live: 1.5 min}
            environment:
              probes: ["10.0.0.2:7402", "[::1]:9"]
            jobs: {prune-tasks: "1 2 * * 0"}
            """.utf8
        )
        let signs = Array("{}[]:,-?&*#|>'\"%@`!\n\t 0189.abz\u{85}".utf8)
        var refused = 0
        for round in 0..<100_000 {
            var bytes = round % 4 == 0 ? [] : good
            for _ in 0...random.below(6) {
                let sign =
                    random.below(4) == 0
                    ? UInt8(truncatingIfNeeded: random.next())
                    : signs[Int(random.below(UInt64(signs.count)))]
                let place = Int(random.below(UInt64(bytes.count + 1)))
                if random.below(2) == 0 || place == bytes.count {
                    bytes.insert(sign, at: place)
                } else {
                    bytes[place] = sign
                }
            }
            do {
                _ = try ConfigurationText.read(bytes: bytes, path: "f", overrides: [])
            } catch {
                refused += 1
                #expect(!error.diagnostics.isEmpty && !error.description.contains("\0"))
            }
        }
        #expect(refused > 10_000 && refused < 100_000, "\(refused)")
    }

    @Test func randomOverridesAreReadOrRefused() {
        var random = SeededRandom(stateFrom: 12)
        let names = ConfigurationSchema.markdown.split(separator: "\n").dropFirst(2).map { row in
            "NOVACRON_"
                + row.split(separator: "`")[1].uppercased().replacing(".", with: "_")
                .replacing("-", with: "_")
        }
        let words = [
            "0", "1", "99999999999999999999", ".", "-", " ", "s", "ms", "d", "GiB", "auto", "off",
            ":",
            "7", "[", "]", "::", "/", "..", "*", ",", "é", "\u{0}", "\u{b5}s", "a",
        ]
        var accepted = 0
        for _ in 0..<100_000 {
            var value = ""
            for _ in 0...random.below(5) { value += words[Int(random.below(UInt64(words.count)))] }
            var name = names[Int(random.below(UInt64(names.count)))]
            if random.below(50) == 0 { name += "X" }
            if messages(nil, [(name, value)]).isEmpty { accepted += 1 }
        }
        #expect(accepted > 100, "\(accepted)")
    }
}
