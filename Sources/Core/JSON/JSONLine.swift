/// What is no JSON of the kind that was asked for, in words.
public struct JSONProblem: Error, Hashable, Sendable {
    public var text: String

    public init(_ text: String) {
        self.text = text
    }
}

/// The strict part of JSON that a line of a log needs: one flat object of texts, whole numbers,
/// booleans, nulls and lists.
public enum JSONLine {
    /// The members of the object that the bytes are. Whatever they are, reading ends with a value or a
    /// problem; a member that appears twice, a number that is not whole and anything behind the object
    /// is one.
    public static func object(_ bytes: [UInt8]) throws(JSONProblem) -> [String: JSONValue] {
        var reader = Reader(bytes: bytes)
        return try reader.object()
    }

    private struct Reader {
        let bytes: [UInt8]
        var position = 0

        /// Lists in lists; a scan's entries need two.
        static let depthLimit = 4

        mutating func object() throws(JSONProblem) -> [String: JSONValue] {
            var fields: [String: JSONValue] = [:]
            try expect("{")
            if !take("}") {
                repeat {
                    skipSpace()
                    let name = try text()
                    try expect(":")
                    guard fields[name] == nil else { throw JSONProblem("'\(name)' appears twice") }
                    fields[name] = try value(depth: 0)
                } while take(",")
                try expect("}")
            }
            skipSpace()
            guard position == bytes.count else { throw problem("nothing more") }
            return fields
        }

        private mutating func value(depth: Int) throws(JSONProblem) -> JSONValue {
            skipSpace()
            guard position < bytes.count else { throw problem("a value") }
            switch bytes[position] {
            case UInt8(ascii: "\""): return .text(try text())
            case UInt8(ascii: "["): return .list(try list(depth: depth))
            case UInt8(ascii: "n"): return try word("null", .null)
            case UInt8(ascii: "t"): return try word("true", .boolean(true))
            case UInt8(ascii: "f"): return try word("false", .boolean(false))
            default: return .integer(try integer())
            }
        }

        private mutating func list(depth: Int) throws(JSONProblem) -> [JSONValue] {
            guard depth < Reader.depthLimit else { throw JSONProblem("lists are nested too deep") }
            var items: [JSONValue] = []
            try expect("[")
            if take("]") { return items }
            repeat { items.append(try value(depth: depth + 1)) } while take(",")
            try expect("]")
            return items
        }

        private mutating func word(_ word: String, _ value: JSONValue) throws(JSONProblem)
            -> JSONValue
        {
            let end = position + word.utf8.count
            guard end <= bytes.count, bytes[position..<end].elementsEqual(word.utf8) else {
                throw problem("a value")
            }
            position = end
            return value
        }

        private mutating func integer() throws(JSONProblem) -> Int64 {
            let first = position
            while position < bytes.count,
                (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes[position])
                    || bytes[position] == UInt8(ascii: "-") && position == first
            { position += 1 }
            let digits = String(decoding: bytes[first..<position], as: UTF8.self)
            guard let value = Int64(digits) else { throw problem("a value") }
            if position < bytes.count, [0x2E, 0x65, 0x45].contains(bytes[position]) {
                throw JSONProblem("numbers are whole")
            }
            return value
        }

        private mutating func text() throws(JSONProblem) -> String {
            try expect("\"")
            var content: [UInt8] = []
            while position < bytes.count {
                let byte = bytes[position]
                position += 1
                switch byte {
                case UInt8(ascii: "\""):
                    guard let text = String(validating: content, as: UTF8.self) else {
                        throw JSONProblem("a text is not UTF-8")
                    }
                    return text
                case UInt8(ascii: "\\"): try escape(into: &content)
                case 0..<0x20: throw JSONProblem("a control character in a text is not escaped")
                default: content.append(byte)
                }
            }
            throw problem("the end of a text")
        }

        private mutating func escape(into content: inout [UInt8]) throws(JSONProblem) {
            guard position < bytes.count else { throw problem("an escape") }
            let byte = bytes[position]
            position += 1
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): content.append(byte)
            case UInt8(ascii: "n"): content.append(0x0A)
            case UInt8(ascii: "r"): content.append(0x0D)
            case UInt8(ascii: "t"): content.append(0x09)
            case UInt8(ascii: "b"): content.append(0x08)
            case UInt8(ascii: "f"): content.append(0x0C)
            case UInt8(ascii: "u"): content += String(try scalar()).utf8
            default: throw JSONProblem("an unknown escape")
            }
        }

        private mutating func scalar() throws(JSONProblem) -> Character {
            var value = try hexadecimal()
            if (0xD800..<0xDC00).contains(value) {
                guard position + 1 < bytes.count, bytes[position] == UInt8(ascii: "\\"),
                    bytes[position + 1] == UInt8(ascii: "u")
                else { throw JSONProblem("half of a surrogate pair") }
                position += 2
                let low = try hexadecimal()
                guard (0xDC00..<0xE000).contains(low) else {
                    throw JSONProblem("half of a surrogate pair")
                }
                value = 0x10000 + (value - 0xD800) << 10 + (low - 0xDC00)
            }
            guard let scalar = Unicode.Scalar(value) else {
                throw JSONProblem("half of a surrogate pair")
            }
            return Character(scalar)
        }

        private mutating func hexadecimal() throws(JSONProblem) -> UInt32 {
            let end = position + 4
            guard end <= bytes.count,
                bytes[position..<end].allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }),
                let value = UInt32(
                    String(decoding: bytes[position..<end], as: UTF8.self),
                    radix: 16
                )
            else { throw JSONProblem("an escape needs four hexadecimal digits") }
            position = end
            return value
        }

        private mutating func skipSpace() {
            while position < bytes.count, [0x20, 0x09, 0x0D].contains(bytes[position]) {
                position += 1
            }
        }

        private mutating func take(_ mark: Unicode.Scalar) -> Bool {
            skipSpace()
            guard position < bytes.count, bytes[position] == UInt8(ascii: mark) else {
                return false
            }
            position += 1
            return true
        }

        private mutating func expect(_ mark: Unicode.Scalar) throws(JSONProblem) {
            guard take(mark) else { throw problem("'\(mark)'") }
        }

        private func problem(_ expected: String) -> JSONProblem {
            JSONProblem("expected \(expected) at column \(position + 1)")
        }
    }
}
