import Effects
import Units

/// Why a setting's text does not do; whoever reads the file or the environment adds the place.
struct SettingFailure: Error {
    var message: String
    var suggestion: String?
    /// Of the element, in lists.
    var index: Int?

    init(_ message: String, suggestion: String? = nil) {
        self.message = message
        self.suggestion = suggestion
    }
}

/// Reads and writes the texts of settings: quantities with their units, names, endpoints.
enum SettingText {
    static let durations: [(name: String, scale: Int64)] = [
        ("d", 86_400_000_000_000), ("h", 3_600_000_000_000), ("min", 60_000_000_000),
        ("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1_000), ("ns", 1),
    ]
    static let sizes: [(name: String, scale: Int64)] = [
        ("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10),
        ("TB", 1_000_000_000_000), ("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1_000),
        ("B", 1),
    ]

    /// A decimal number and a unit, `1.5 s`, in the smallest unit; exact.
    static func quantity(
        _ text: String,
        _ kind: String,
        _ units: [(name: String, scale: Int64)]
    ) throws(SettingFailure) -> Int64 {
        let names = units.map(\.name)
        let expected = "\(kind) such as '\(kind == "a size" ? "64 MiB" : "30 s")'"
        let number = text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        let unit = text.dropFirst(number.count).drop { $0 == " " }
        let parts = number.split(separator: ".", omittingEmptySubsequences: false)
        guard (1...2).contains(parts.count), parts.allSatisfy({ !$0.isEmpty }) else {
            throw SettingFailure("'\(shortened(text))' is not \(expected)")
        }
        guard !unit.isEmpty else {
            throw SettingFailure("'\(shortened(text))' has no unit; expected \(expected)")
        }
        // The micro sign and the Greek letter mean the same as `u`.
        let plain = unit == "\u{B5}s" || unit == "\u{3BC}s" ? "us" : unit
        guard let scale = units.first(where: { $0.name == plain })?.scale else {
            throw SettingFailure(
                "'\(shortened(String(unit)))' is not the unit of \(kind): "
                    + names.joined(separator: ", "),
                suggestion: ClosestName.find(String(unit), among: names)
            )
        }
        guard parts.allSatisfy({ $0.utf8.count <= 18 }), let whole = Int64(parts[0]) else {
            throw SettingFailure("'\(shortened(text))' has too many digits")
        }
        let (product, overflow) = whole.multipliedReportingOverflow(by: scale)
        guard !overflow else { throw SettingFailure("'\(shortened(text))' is too large") }
        guard parts.count == 2, let digits = Int64(parts[1]) else { return product }
        var divisor: Int64 = 1
        for _ in parts[1].utf8 { divisor *= 10 }
        let scaled = digits.multipliedFullWidth(by: scale)
        let (quotient, rest) = divisor.dividingFullWidth(scaled)
        guard rest == 0 else {
            throw SettingFailure("'\(shortened(text))' is finer than one \(names.last ?? "")")
        }
        let (sum, carried) = product.addingReportingOverflow(quotient)
        guard !carried else { throw SettingFailure("'\(shortened(text))' is too large") }
        return sum
    }

    /// In the largest unit that needs no fraction.
    static func text(_ value: Int64, _ units: [(name: String, scale: Int64)]) -> String {
        guard value != 0 else { return units.contains { $0.name == "s" } ? "0 s" : "0 B" }
        for unit in units where value % unit.scale == 0 {
            return "\(value / unit.scale) \(unit.name)"
        }
        preconditionFailure("\(value) in none of the units")
    }

    static func text(_ value: Interval) -> String { text(value.nanoseconds, durations) }
    static func text(_ value: ByteCount) -> String { text(value.bytes, sizes) }

    /// A word that may stand in certificates, file names and logs.
    static func name(_ text: String) throws(SettingFailure) -> String {
        let isGood = text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
                UInt8(ascii: "_"):
                true
            case _: false
            }
        }
        guard isGood, (1...63).contains(text.utf8.count), !text.hasPrefix("."),
            !text.hasPrefix("-")
        else {
            throw SettingFailure(
                "'\(shortened(text))' is no name: 1 to 63 letters, digits, '-', '_', '.'"
            )
        }
        return text
    }

    /// A name or an IP address, as certificates hold them.
    static func hostName(_ text: String) throws(SettingFailure) -> String {
        let isGood = text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
                UInt8(ascii: ":"):
                true
            case _: false
            }
        }
        guard isGood, (1...253).contains(text.utf8.count), !text.hasPrefix("-") else {
            throw SettingFailure("'\(shortened(text))' is no host name or address")
        }
        return text
    }

    static func endpoint(_ text: String) throws(SettingFailure) -> SocketEndpoint {
        guard let endpoint = SocketEndpoint(text), (try? hostName(endpoint.host)) != nil else {
            throw SettingFailure(
                "'\(shortened(text))' is no address with a port, such as '127.0.0.1:7400'"
            )
        }
        return endpoint
    }

    /// A path without parts that lead upwards.
    static func path(_ text: String, isAbsolute: Bool) throws(SettingFailure) -> String {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        let named = parts.dropFirst(text.hasPrefix("/") ? 1 : 0)
        guard (1...1024).contains(text.utf8.count),
            named.allSatisfy({ !$0.isEmpty && $0 != "." && $0 != ".." }),
            !text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control })
        else {
            throw SettingFailure("'\(shortened(text))' is no path in its plain form")
        }
        guard !isAbsolute || text.hasPrefix("/") else {
            throw SettingFailure("'\(shortened(text))' is not an absolute path")
        }
        return text
    }

    /// What somebody wrote, as a message may quote it: one line of bounded length.
    static func shortened(_ text: String) -> String {
        var line = ""
        for scalar in text.unicodeScalars.prefix(60) {
            let isPlain = scalar.value >= 0x20 && scalar.properties.generalCategory != .control
            line.unicodeScalars.append(isPlain ? scalar : " ")
        }
        return text.unicodeScalars.count > 60 ? line + "…" : line
    }
}
