/// Why a drawing could not be read.
public enum SVGError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The text breaks the form of XML at this byte.
    case malformed(byte: Int)
    /// Elements are nested deeper than a drawing of gnuplot ever is.
    case tooDeep
    /// The drawing uses something that has no translation.
    case unsupported(String)

    public var description: String {
        switch self {
        case .malformed(let byte): "malformed at byte \(byte)"
        case .tooDeep: "nested too deep"
        case .unsupported(let what): "cannot translate \(what)"
        }
    }
}

/// An element of a drawing: the part of XML that gnuplot's svg terminal writes, which is elements,
/// attributes, text and the five predefined entities.
package struct SVGElement: Equatable {
    package var name: String
    package var attributes: [Attribute]
    package var children: [Node]

    package struct Attribute: Equatable {
        package var name: String
        package var value: String
    }

    package enum Node: Equatable {
        case element(SVGElement)
        case text(String)
    }

    package subscript(name: String) -> String? {
        attributes.first { $0.name == name }?.value
    }

    static let depthLimit = 32

    /// Reads one document; a declaration, comments and white space around the root are skipped.
    package static func parse(_ document: String) throws(SVGError) -> SVGElement {
        var reader = SVGReader(bytes: Array(document.utf8))
        return try reader.document()
    }

    /// Appends the element as text in which markup cannot arise from content.
    package func write(into text: inout String) {
        text += "<\(name)"
        for attribute in attributes {
            text += " \(attribute.name)=\"\(escaped(attribute.value))\""
        }
        guard !children.isEmpty else {
            text += "/>"
            return
        }
        text += ">"
        for child in children {
            switch child {
            case .element(let element): element.write(into: &text)
            case .text(let content): text += escaped(content)
            }
        }
        text += "</\(name)>"
    }
}

/// A cursor over the bytes of a drawing.
private struct SVGReader {
    let bytes: [UInt8]
    var position = 0

    init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    mutating func document() throws(SVGError) -> SVGElement {
        try skipProlog()
        let root = try element(depth: 0)
        try skipProlog()
        guard position == bytes.count else { throw .malformed(byte: position) }
        return root
    }

    /// White space, declarations and comments.
    private mutating func skipProlog() throws(SVGError) {
        while true {
            skipSpace()
            if starts(with: "<?") {
                try skip(past: "?>")
            } else if starts(with: "<!--") {
                try skip(past: "-->")
            } else {
                return
            }
        }
    }

    private mutating func element(depth: Int) throws(SVGError) -> SVGElement {
        guard depth < SVGElement.depthLimit else { throw .tooDeep }
        try expect("<")
        var element = SVGElement(name: try name(), attributes: [], children: [])
        while true {
            skipSpace()
            if starts(with: "/>") {
                position += 2
                return element
            }
            if starts(with: ">") {
                position += 1
                break
            }
            element.attributes.append(try attribute())
        }
        while true {
            guard position < bytes.count else { throw .malformed(byte: position) }
            if starts(with: "</") {
                position += 2
                guard try name() == element.name else { throw .malformed(byte: position) }
                skipSpace()
                try expect(">")
                return element
            }
            if starts(with: "<!--") {
                try skip(past: "-->")
            } else if starts(with: "<") {
                element.children.append(.element(try self.element(depth: depth + 1)))
            } else {
                element.children.append(.text(try text(until: UInt8(ascii: "<"))))
            }
        }
    }

    private mutating func attribute() throws(SVGError) -> SVGElement.Attribute {
        let name = try name()
        skipSpace()
        try expect("=")
        skipSpace()
        guard position < bytes.count else { throw .malformed(byte: position) }
        let quote = bytes[position]
        guard quote == UInt8(ascii: "\"") || quote == UInt8(ascii: "'") else {
            throw .malformed(byte: position)
        }
        position += 1
        let value = try text(until: quote)
        guard position < bytes.count else { throw .malformed(byte: position) }
        position += 1
        return SVGElement.Attribute(name: name, value: value)
    }

    private mutating func name() throws(SVGError) -> String {
        let first = position
        while position < bytes.count, isNameByte(bytes[position]) { position += 1 }
        guard position > first else { throw .malformed(byte: position) }
        return String(decoding: bytes[first..<position], as: UTF8.self)
    }

    private func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: ":"), UInt8(ascii: "-"),
            UInt8(ascii: "_"):
            true
        default: false
        }
    }

    /// Characters up to `end`, which is not consumed, with entities resolved.
    private mutating func text(until end: UInt8) throws(SVGError) -> String {
        var content: [UInt8] = []
        while position < bytes.count, bytes[position] != end {
            let byte = bytes[position]
            if byte == UInt8(ascii: "&") {
                content.append(try entity())
            } else if byte == UInt8(ascii: "<") {
                throw .malformed(byte: position)
            } else {
                content.append(byte)
                position += 1
            }
        }
        return String(decoding: content, as: UTF8.self)
    }

    private mutating func entity() throws(SVGError) -> UInt8 {
        for (name, byte) in [
            ("&lt;", UInt8(ascii: "<")), ("&gt;", UInt8(ascii: ">")), ("&amp;", UInt8(ascii: "&")),
            ("&quot;", UInt8(ascii: "\"")), ("&apos;", UInt8(ascii: "'")),
        ] where starts(with: name) {
            position += name.utf8.count
            return byte
        }
        throw .malformed(byte: position)
    }

    private mutating func skipSpace() {
        while position < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[position]) {
            position += 1
        }
    }

    private func starts(with prefix: String) -> Bool {
        let prefix = prefix.utf8
        return position + prefix.count <= bytes.count
            && bytes[position..<position + prefix.count].elementsEqual(prefix)
    }

    private mutating func expect(_ prefix: String) throws(SVGError) {
        guard starts(with: prefix) else { throw .malformed(byte: position) }
        position += prefix.utf8.count
    }

    private mutating func skip(past end: String) throws(SVGError) {
        while !starts(with: end) {
            guard position < bytes.count else { throw .malformed(byte: position) }
            position += 1
        }
        position += end.utf8.count
    }
}
