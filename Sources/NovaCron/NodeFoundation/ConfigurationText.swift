import Effects
import Units

/// Reads a node's configuration from a file's bytes and from the environment; pure.
public enum ConfigurationText {
    /// Longer files are refused.
    public static let sizeLimit = 64 << 10
    /// Of the environment variables that override settings.
    public static let prefix = "NOVACRON_"
    /// Variables with the prefix that are no settings.
    public static let otherVariables = [fileVariable]
    /// Names the configuration file when the command line does not.
    public static let fileVariable = "NOVACRON_CONFIG"

    /// The embedded defaults, changed by the file, then by the environment.
    ///
    /// - Parameters:
    ///   - bytes: YAML or JSON; `nil` when there is no file.
    ///   - path: of the file, for messages.
    ///   - overrides: environment variables; those without the prefix are not looked at.
    public static func read(
        bytes: [UInt8]?,
        path: String,
        overrides: [(name: String, value: String)]
    ) throws(ConfigurationError) -> NodeConfiguration {
        var pass = ConfigurationPass(path: path)
        if let bytes {
            let root = try MarkedDocument.read(bytes, path: path, limit: sizeLimit)
            pass.read(root, section: "")
        }
        for variable in overrides.sorted(by: { $0.name < $1.name }) {
            pass.override(variable.name, with: variable.value)
        }
        pass.checkTogether()
        guard pass.diagnostics.isEmpty else { throw ConfigurationError(pass.diagnostics) }
        return pass.configuration
    }
}

/// One reading: what has been set so far, and where.
private struct ConfigurationPass {
    var configuration = NodeConfiguration()
    var diagnostics: [ConfigurationDiagnostic] = []
    private let path: String
    /// Where keys were set; of the keys of the table, so it is bounded.
    private var places: [String: ConfigurationDiagnostic.Place] = [:]

    init(path: String) {
        self.path = path
    }

    private mutating func add(
        _ place: ConfigurationDiagnostic.Place,
        _ message: String,
        _ suggestion: String? = nil
    ) {
        guard diagnostics.count < ConfigurationError.diagnosticLimit else { return }
        diagnostics.append(ConfigurationDiagnostic(place, message, suggestion: suggestion))
    }

    private func place(_ node: MarkedNode) -> ConfigurationDiagnostic.Place {
        .file(path: path, line: node.line, column: node.column)
    }

    // MARK: - The file

    mutating func read(_ node: MarkedNode, section: String) {
        let prefix = section.isEmpty ? "" : "\(section)."
        guard case .mapping(let entries) = node.content else {
            let name = section.isEmpty ? "the file" : "'\(section)'"
            return add(place(node), "\(name) holds \(node.noun); expected a mapping")
        }
        for entry in entries {
            let full = prefix + entry.key
            if let key = ConfigurationKey.all.first(where: { $0.path == full }) {
                read(entry.value, key)
            } else if ConfigurationKey.all.contains(where: { $0.path.hasPrefix(full + ".") }) {
                read(entry.value, section: full)
            } else {
                add(
                    .file(path: path, line: entry.keyLine, column: entry.keyColumn),
                    "unknown key '\(SettingText.shortened(full))'",
                    suggestion(for: entry.key, in: prefix)
                )
            }
        }
    }

    private func suggestion(for key: String, in prefix: String) -> String? {
        let inside = ConfigurationKey.all.filter { $0.path.hasPrefix(prefix) }
        var names: [String] = []
        for known in inside {
            let rest = known.path.dropFirst(prefix.count)
            let name = String(rest.prefix { $0 != "." })
            if names.last != name { names.append(name) }
        }
        if let name = ClosestName.find(key, among: names) { return prefix + name }
        // Right, but in the wrong section.
        return ConfigurationKey.all.first { $0.path.hasSuffix(".\(key)") }?.path
    }

    private mutating func read(_ node: MarkedNode, _ key: ConfigurationKey) {
        places[key.path] = place(node)
        switch (node.content, key.isList) {
        case (.scalar(let text), false):
            if let failure = key.assign([text], &configuration) {
                add(place(node), "\(key.path): \(failure.message)", failure.suggestion)
            }
        case (.list(let elements), true):
            var texts: [String] = []
            for element in elements {
                guard case .scalar(let text) = element.content else {
                    return add(place(element), "\(key.path): \(element.noun); expected text")
                }
                texts.append(text)
            }
            if let failure = key.assign(texts, &configuration) {
                let element = failure.index.map { elements[$0] } ?? node
                add(place(element), "\(key.path): \(failure.message)", failure.suggestion)
            }
        case (_, true):
            add(place(node), "\(key.path): \(node.noun); expected a list of \(key.form)")
        case (_, false):
            add(place(node), "\(key.path): \(node.noun); expected \(key.form)")
        }
    }

    // MARK: - The environment

    mutating func override(_ name: String, with value: String) {
        guard name.hasPrefix(ConfigurationText.prefix),
            !ConfigurationText.otherVariables.contains(name)
        else { return }
        let place = ConfigurationDiagnostic.Place.variable(SettingText.shortened(name))
        guard let key = ConfigurationKey.all.first(where: { $0.variable == name }) else {
            let names = ConfigurationKey.all.map(\.variable) + ConfigurationText.otherVariables
            return add(place, "no setting has this variable", ClosestName.find(name, among: names))
        }
        places[key.path] = place
        let texts =
            key.isList
            ? value.split(separator: ",").map { String($0.filter { $0 != " " }) } : [value]
        guard value.utf8.count <= 16_384 else { return add(place, "the value is too long") }
        if let failure = key.assign(texts, &configuration) {
            add(place, failure.message, failure.suggestion)
        }
    }

    // MARK: - Settings that must go together

    mutating func checkTogether() {
        guard diagnostics.isEmpty else { return }
        let security = configuration.security
        if security.rotateBefore >= security.certificateLifetime {
            addTogether(
                ["security.rotate-before", "security.certificate-lifetime"],
                "a certificate of \(SettingText.text(security.certificateLifetime)) would be "
                    + "replaced \(SettingText.text(security.rotateBefore)) before its end, always"
            )
        }
        if security.certificateLifetime > security.authorityLifetime {
            addTogether(
                ["security.certificate-lifetime", "security.authority-lifetime"],
                "a certificate would outlive its authority"
            )
        }
        let dwcp = configuration.dwcp
        let files = [dwcp.certificate, dwcp.key, dwcp.authorities]
        if files.contains(nil), !files.allSatisfy({ $0 == nil }) {
            addTogether(
                ["dwcp.certificate", "dwcp.key", "dwcp.authorities"],
                "TLS on streams needs all of dwcp.certificate, dwcp.key and dwcp.authorities, or none"
            )
        }
        let listeners = [
            ("network.control", configuration.network.control),
            ("dwcp.endpoint", configuration.dwcp.endpoint),
            ("health.endpoint", configuration.health.endpoint),
        ]
        for (index, listener) in listeners.enumerated() where listener.1.port != 0 {
            for other in listeners[..<index] where other.1 == listener.1 {
                addTogether(
                    [listener.0, other.0],
                    "\(listener.0) and \(other.0) are both \(listener.1)"
                )
            }
        }
    }

    /// At the first of the keys that somebody has set.
    private mutating func addTogether(_ keys: [String], _ message: String) {
        let place = keys.compactMap { places[$0] }.first ?? .key(keys[0])
        add(place, message)
    }
}
