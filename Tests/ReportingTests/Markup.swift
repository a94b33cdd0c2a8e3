import Foundation
import FoundationXML

/// A page read back by a strict parser, independent of what wrote it.
final class Markup: NSObject, XMLParserDelegate {
    final class Element {
        let name: String
        let attributes: [String: String]
        var children: [Element] = []
        /// Text directly inside and inside children, in order.
        var text = ""

        init(name: String, attributes: [String: String]) {
            self.name = name
            self.attributes = attributes
        }

        /// All elements below that fulfil a condition, in document order.
        func all(where condition: (Element) -> Bool) -> [Element] {
            children.flatMap { (condition($0) ? [$0] : []) + $0.all(where: condition) }
        }

        func all(_ name: String) -> [Element] { all { $0.name == name } }

        func all(class name: String) -> [Element] {
            all { ($0.attributes["class"] ?? "").split(separator: " ").contains(Substring(name)) }
        }

        /// The text with white space runs as one space.
        var words: String {
            text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        }
    }

    private(set) var root: Element?
    private var open: [Element] = []
    private(set) var problem: String?

    init(_ page: String) {
        super.init()
        let parser = XMLParser(data: Data(page.utf8))
        parser.delegate = self
        if !parser.parse() {
            problem = "line \(parser.lineNumber): \(String(describing: parser.parserError))"
        }
    }

    func parser(
        _ parser: XMLParser,
        didStartElement elementName: String,
        namespaceURI: String?,
        qualifiedName: String?,
        attributes: [String: String]
    ) {
        let element = Element(name: elementName, attributes: attributes)
        open.last?.children.append(element)
        if root == nil { root = element }
        open.append(element)
    }

    func parser(
        _ parser: XMLParser,
        didEndElement elementName: String,
        namespaceURI: String?,
        qualifiedName: String?
    ) {
        open.removeLast()
    }

    func parser(_ parser: XMLParser, foundCharacters string: String) {
        for element in open { element.text += string }
    }
}
