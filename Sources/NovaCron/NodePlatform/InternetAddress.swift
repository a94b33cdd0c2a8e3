/// An IPv4 or IPv6 address in the byte order of the network.
///
/// Texts as in RFC 4291, section 2.2: four decimal numbers without leading zeros, or up to eight
/// groups of hexadecimal digits of which `::` replaces one or more zeros. Neither zones nor
/// embedded IPv4.
package struct InternetAddress: Hashable, Sendable {
    /// 4 or 16.
    package let bytes: [UInt8]

    /// `nil` when the text is no address.
    package init?(_ text: String) {
        guard let bytes = InternetAddress.version4(text) ?? InternetAddress.version6(text) else {
            return nil
        }
        self.bytes = bytes
    }

    private static func version4(_ text: String) -> [UInt8]? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var bytes: [UInt8] = []
        for part in parts {
            guard part.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let byte = UInt8(part),
                String(byte) == part
            else { return nil }
            bytes.append(byte)
        }
        return bytes
    }

    private static func version6(_ text: String) -> [UInt8]? {
        guard text.utf8.count <= 39 else { return nil }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        // An empty part is a double colon, which is two of them at an end of the text.
        guard let gap = parts.firstIndex(of: "") else {
            return parts.count == 8 ? groups(parts[...]) : nil
        }
        var after = parts[(gap + 1)...]
        if gap == 0 {
            guard after.first == "" else { return nil }
            after = after.dropFirst()
        }
        if after.last == "" { after = after.dropLast() } else if after.isEmpty { return nil }
        guard let left = groups(parts[..<gap]), let right = groups(after),
            left.count + right.count <= 14
        else { return nil }
        return left + Array(repeating: 0, count: 16 - left.count - right.count) + right
    }

    private static func groups(_ parts: ArraySlice<Substring>) -> [UInt8]? {
        var bytes: [UInt8] = []
        for part in parts {
            guard (1...4).contains(part.utf8.count), part.allSatisfy(\.isHexDigit),
                let group = UInt16(part, radix: 16)
            else { return nil }
            bytes += [UInt8(group >> 8), UInt8(truncatingIfNeeded: group)]
        }
        return bytes
    }
}
