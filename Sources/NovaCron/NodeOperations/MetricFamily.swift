/// The series of one metric name.
struct MetricFamily: Sendable {
    enum Kind: String, Sendable {
        case counter, gauge, histogram
    }

    struct Label: Hashable, Sendable, Comparable {
        var name: String
        var value: String

        static func < (left: Label, right: Label) -> Bool {
            (left.name, left.value) < (right.name, right.value)
        }
    }

    let kind: Kind
    var help: String?
    /// By labels, which are sorted by name.
    var series: [[Label]: any MetricSeries] = [:]

    static let histogramSuffixes = ["_bucket", "_count", "_sum"]

    func write(_ name: String, into text: inout String) {
        guard !series.isEmpty else { return }
        if let help { text += "# HELP \(name) \(MetricFamily.escapedHelp(help))\n" }
        text += "# TYPE \(name) \(kind.rawValue)\n"
        for labels in series.keys.sorted(by: { $0.lexicographicallyPrecedes($1) }) {
            for sample in series[labels]?.samples ?? [] {
                var all = labels
                if let extra = sample.label { all.append(extra) }
                text += name + sample.suffix
                if !all.isEmpty {
                    let pairs = all.map { "\($0.name)=\"\(MetricFamily.escapedValue($0.value))\"" }
                    text += "{\(pairs.joined(separator: ","))}"
                }
                text += " \(sample.value)\n"
            }
        }
    }

    // MARK: - Names

    /// `[a-zA-Z_:][a-zA-Z0-9_:]*`
    static func validName(_ name: String) -> String { valid(name, colons: true) }

    /// `[a-zA-Z_][a-zA-Z0-9_]*`, each name once (the first stays), none that Prometheus keeps for
    /// itself: those begin with two underscores, or mark a bucket.
    static func validLabels(_ dimensions: [(String, String)]) -> [Label] {
        var labels: [Label] = []
        for (name, value) in dimensions {
            var name = valid(name, colons: false)
            if name.hasPrefix("__") || name == "le" || name == "quantile" {
                name = "exported_" + name.drop { $0 == "_" }
            }
            if !labels.contains(where: { $0.name == name }) {
                labels.append(Label(name: name, value: value))
            }
        }
        return labels.sorted()
    }

    private static func valid(_ name: String, colons: Bool) -> String {
        var bytes: [UInt8] = []
        for scalar in name.unicodeScalars {
            let isValid =
                switch scalar {
                case "a"..."z", "A"..."Z", "0"..."9", "_": true
                case ":": colons
                default: false
                }
            bytes.append(isValid ? UInt8(scalar.value) : 0x5F)
        }
        if bytes.first.map({ (0x30...0x39).contains($0) }) ?? true { bytes.insert(0x5F, at: 0) }
        return String(decoding: bytes, as: UTF8.self)
    }

    static func escapedValue(_ value: String) -> String {
        var text = ""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\\": text += "\\\\"
            case "\"": text += "\\\""
            case "\n": text += "\\n"
            default: text.unicodeScalars.append(scalar)
            }
        }
        return text
    }

    private static func escapedHelp(_ help: String) -> String {
        var text = ""
        for scalar in help.unicodeScalars {
            switch scalar {
            case "\\": text += "\\\\"
            case "\n": text += "\\n"
            default: text.unicodeScalars.append(scalar)
            }
        }
        return text
    }

    /// A value as Prometheus reads it.
    static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        if let whole = Int64(exactly: value) { return String(whole) }
        return "\(value)"
    }
}
