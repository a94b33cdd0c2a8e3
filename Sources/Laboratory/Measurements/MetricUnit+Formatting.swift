/// How figures are printed: the same in the verdict block, the report and the archive listing.
extension MetricUnit {
    /// The unit a figure of this size is printed in: bit rates take the prefix that fits, everything
    /// else its own unit.
    public func display(for magnitude: Double) -> (divisor: Double, name: String) {
        guard self == .bitsPerSecond else {
            return (1, self == .count ? "" : rawValue)
        }
        for (divisor, name) in [(1e9, "Gbit/s"), (1e6, "Mbit/s"), (1e3, "kbit/s")]
        where abs(magnitude) >= divisor {
            return (divisor, name)
        }
        return (1, "bit/s")
    }

    /// A figure with its unit, for example `93.1 %`, `2.61x` or `187 Mbit/s`.
    ///
    /// - Parameter resolution: What must stay visible, typically an interval's half-width; four
    ///   significant digits without it.
    public func text(_ value: Double, resolution: Double? = nil) -> String {
        let (divisor, name) = display(for: value)
        let scaled = value / divisor
        let number = Decimals.text(
            scaled,
            places: Decimals.places(for: scaled, resolution: resolution.map { $0 / divisor })
        )
        return MetricUnit.joined(number, name)
    }

    /// A figure that has no interval, such as a threshold or a bound, without trailing zeros: `90 %`,
    /// `14.2x`, `200 Mbit/s`.
    public func shortText(_ value: Double) -> String {
        let (divisor, name) = display(for: value)
        let scaled = value / divisor
        var number = Decimals.text(scaled, places: Decimals.places(for: scaled, resolution: nil))
        if number.contains(".") {
            while number.last == "0" { number.removeLast() }
            if number.last == "." { number.removeLast() }
        }
        return MetricUnit.joined(number, name)
    }

    /// A number and the name of its unit; a factor's `x` follows without a space.
    public static func joined(_ number: String, _ name: String) -> String {
        name.isEmpty ? number : name == "x" ? number + name : "\(number) \(name)"
    }
}

/// Decimal texts of doubles without a locale.
public enum Decimals {
    /// The decimal places at which two digits of `resolution` show, or four significant digits of
    /// `value` when it is `nil` or zero; from 0 to 6.
    public static func places(for value: Double, resolution: Double?) -> Int {
        var wanted = abs(value)
        var digits = 4
        if let resolution, resolution > 0, resolution.isFinite {
            // A half-width of 0.45 asks for one place, of 0.055 for two, of 45 for none.
            wanted = resolution
            digits = 1
        }
        guard wanted > 0, wanted.isFinite else { return 0 }
        var places = digits - 1
        var edge = 1.0
        while wanted >= edge * 10, places > 0 {
            edge *= 10
            places -= 1
        }
        edge = 1
        while wanted < edge, places < 6 {
            edge /= 10
            places += 1
        }
        return places
    }

    /// `value` rounded to `places` decimals, half away from zero: `2.610`, `-0.05`, `∞`.
    public static func text(_ value: Double, places: Int) -> String {
        precondition(places >= 0 && places <= 9, "\(places) decimal places")
        guard value.isFinite else { return value.isNaN ? "nan" : value < 0 ? "−∞" : "∞" }
        var power: UInt64 = 1
        for _ in 0..<places { power *= 10 }
        let scaled = (abs(value) * Double(power)).rounded()
        guard scaled < 1e18 else { return "\(value)" }
        let units = UInt64(scaled)
        let sign = value < 0 && units > 0 ? "-" : ""
        let whole = units / power
        guard places > 0 else { return "\(sign)\(whole)" }
        let fraction = String(units % power)
        let padding = String(repeating: "0", count: places - fraction.count)
        return "\(sign)\(whole).\(padding)\(fraction)"
    }

    /// Seconds as people read them, in the unit that leaves digits before the point: `12.4 s`,
    /// `213.7 ms`, `84 µs`.
    public static func duration(_ seconds: Double) -> String {
        if seconds == 0 || abs(seconds) >= 1 { return MetricUnit.seconds.shortText(seconds) }
        if abs(seconds) >= 1e-3 { return MetricUnit.milliseconds.shortText(seconds * 1e3) }
        return MetricUnit.joined(text(seconds * 1e6, places: 0), "µs")
    }
}
