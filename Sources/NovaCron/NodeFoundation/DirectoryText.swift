import Effects

/// Reads the file that lists nodes; pure.
public enum DirectoryText {
    /// Longer files are refused.
    public static let sizeLimit = 1 << 20
    public static let nodeLimit = 4096

    private static let keys = ["name", "region", "control", "dwcp", "probes"]

    /// The listed nodes, in the file's order.
    ///
    /// - Parameter path: for messages.
    public static func read(
        bytes: [UInt8],
        path: String
    ) throws(ConfigurationError) -> [KnownNode] {
        let root = try MarkedDocument.read(bytes, path: path, limit: sizeLimit)
        var pass = DirectoryPass(path: path)
        pass.read(root)
        guard pass.diagnostics.isEmpty else { throw ConfigurationError(pass.diagnostics) }
        return pass.nodes
    }

    private struct DirectoryPass {
        let path: String
        var nodes: [KnownNode] = []
        var diagnostics: [ConfigurationDiagnostic] = []
        private var names: [String: Int] = [:]
        private var endpoints: [String: String] = [:]

        init(path: String) {
            self.path = path
        }

        mutating func add(_ line: Int, _ column: Int, _ message: String, _ meant: String? = nil) {
            guard diagnostics.count < ConfigurationError.diagnosticLimit else { return }
            diagnostics.append(
                ConfigurationDiagnostic(
                    .file(path: path, line: line, column: column),
                    message,
                    suggestion: meant
                )
            )
        }

        mutating func read(_ root: MarkedNode) {
            guard case .mapping(let entries) = root.content else {
                return add(root.line, root.column, "\(root.noun); expected 'nodes:' with a list")
            }
            var isListed = false
            for entry in entries {
                guard entry.key == "nodes" else {
                    add(
                        entry.keyLine,
                        entry.keyColumn,
                        "unknown key '\(SettingText.shortened(entry.key))'",
                        ClosestName.find(entry.key, among: ["nodes"])
                    )
                    continue
                }
                isListed = true
                guard case .list(let elements) = entry.value.content else {
                    let noun = entry.value.noun
                    add(entry.value.line, entry.value.column, "nodes: \(noun); expected a list")
                    continue
                }
                guard elements.count <= nodeLimit else {
                    add(entry.value.line, entry.value.column, "more than \(nodeLimit) nodes")
                    continue
                }
                for element in elements { readNode(element) }
            }
            if !isListed, diagnostics.isEmpty {
                add(root.line, root.column, "'nodes' is missing; an empty list is 'nodes: []'")
            }
        }

        mutating func readNode(_ node: MarkedNode) {
            guard case .mapping(let entries) = node.content else {
                return add(
                    node.line,
                    node.column,
                    "\(node.noun); expected a mapping with \(keys.joined(separator: ", "))"
                )
            }
            var name: String?
            var region: String?
            var found: [String: SocketEndpoint] = [:]
            let before = diagnostics.count
            for entry in entries {
                guard keys.contains(entry.key) else {
                    add(
                        entry.keyLine,
                        entry.keyColumn,
                        "unknown key '\(SettingText.shortened(entry.key))'",
                        ClosestName.find(entry.key, among: keys)
                    )
                    continue
                }
                guard case .scalar(let text) = entry.value.content else {
                    let message = "\(entry.key): \(entry.value.noun); expected text"
                    add(entry.value.line, entry.value.column, message)
                    continue
                }
                do throws(SettingFailure) {
                    switch entry.key {
                    case "name": name = try unique(SettingText.name(text), at: entry.value.line)
                    case "region": region = try SettingText.name(text)
                    case _: found[entry.key] = try free(SettingText.endpoint(text), entry.key)
                    }
                } catch {
                    let message = "\(entry.key): \(error.message)"
                    add(entry.value.line, entry.value.column, message, error.suggestion)
                }
            }
            let given = Set(entries.map(\.key))
            for key in keys where !given.contains(key) {
                add(node.line, node.column, "'\(key)' is missing")
            }
            guard diagnostics.count == before, let name, let region,
                let control = found["control"], let dwcp = found["dwcp"],
                let probes = found["probes"]
            else { return }
            nodes.append(
                KnownNode(
                    name: name,
                    region: region,
                    control: control,
                    dwcp: dwcp,
                    probes: probes
                )
            )
        }

        private mutating func unique(
            _ name: String,
            at line: Int
        ) throws(SettingFailure) -> String {
            if let other = names[name] {
                throw SettingFailure("'\(name)' is in line \(other) already")
            }
            names[name] = line
            return name
        }

        /// Probes are UDP, the others TCP: the two may share a port.
        private mutating func free(
            _ endpoint: SocketEndpoint,
            _ key: String
        ) throws(SettingFailure) -> SocketEndpoint {
            guard endpoint.port != 0 else {
                throw SettingFailure("'\(endpoint)' has port 0, where nobody can be reached")
            }
            let place = (key == "probes" ? "udp " : "tcp ") + endpoint.description
            if let other = endpoints[place] {
                throw SettingFailure("'\(endpoint)' is another node's \(other) already")
            }
            endpoints[place] = key
            return endpoint
        }
    }
}
