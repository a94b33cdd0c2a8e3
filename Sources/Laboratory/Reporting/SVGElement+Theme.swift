extension SVGElement {
    /// The drawing as an inline element of a page: no fixed colours, fonts, sizes, names or links;
    /// it scales with its place, follows light, dark and print, and speaks through `label`.
    ///
    /// Gnuplot's symbols are definitions that are used by name. The one in use here, the filled
    /// circle, is drawn in place instead, so several drawings in a page cannot clash.
    package func themed(label: String) throws(SVGError) -> String {
        guard name == "svg", let viewBox = self["viewBox"] else {
            throw .unsupported("a root \(name) without a view box")
        }
        var root = SVGElement(
            name: "svg",
            attributes: [
                Attribute(name: "class", value: "chart"),
                Attribute(name: "viewBox", value: viewBox),
                Attribute(name: "role", value: "img"),
                Attribute(name: "aria-label", value: label),
            ],
            children: []
        )
        root.children = try SVGElement.themed(children, color: Ink.text.css)
        var text = ""
        root.write(into: &text)
        return text
    }

    private static func themed(_ nodes: [Node], color: String) throws(SVGError) -> [Node] {
        var result: [Node] = []
        for case .element(let element) in nodes {
            result += try element.translated(color: color)
        }
        return result
    }

    /// What stands in the page for this element: nothing for what cannot be seen.
    private func translated(color inherited: String) throws(SVGError) -> [Node] {
        let color = try self["color"].map(SVGElement.paint) ?? inherited
        switch name {
        case "title", "desc", "defs": return []
        case "g":
            let inner = try SVGElement.themed(children, color: color)
            guard !inner.isEmpty else { return [] }
            let kept = try keptAttributes(color: color)
            guard !kept.isEmpty else { return inner }
            return [.element(SVGElement(name: "g", attributes: kept, children: inner))]
        case "text":
            let content = plainText.trimmingSpaces
            guard !content.isEmpty else { return [] }
            let kept = try keptAttributes(color: color)
            return [
                .element(SVGElement(name: "text", attributes: kept, children: [.text(content)]))
            ]
        case "use": return [.element(try circle(color: color))]
        case "rect" where self["fill"] == "none" && self["stroke"] == nil: return []
        case "path", "polygon", "rect", "circle", "line", "polyline":
            let kept = try keptAttributes(color: color)
            return [.element(SVGElement(name: name, attributes: kept, children: []))]
        default: throw .unsupported("element \(name)")
        }
    }

    /// The attributes that shape the drawing, with their colours as variables.
    private func keptAttributes(color: String) throws(SVGError) -> [Attribute] {
        var kept: [Attribute] = []
        for attribute in attributes {
            switch attribute.name {
            case "fill", "stroke":
                let value = attribute.value
                let paint = value == "currentColor" ? color : try SVGElement.paint(value)
                kept.append(Attribute(name: attribute.name, value: paint))
            case "d", "points":
                kept.append(Attribute(name: attribute.name, value: attribute.value.trimmingSpaces))
            case "transform", "text-anchor", "x", "y", "width", "height", "cx", "cy", "r",
                "x1", "y1", "x2", "y2", "fill-opacity", "stroke-opacity", "stroke-width",
                "stroke-dasharray", "stroke-linecap", "stroke-linejoin", "shape-rendering":
                kept.append(attribute)
            case "id", "color", "class", "font-family", "font-size", "font-weight", "font-style",
                "xml:space":
                break
            default: throw .unsupported("attribute \(attribute.name) of \(name)")
            }
        }
        return kept
    }

    /// A filled circle of gnuplot, `<use xlink:href='#gpPt6' transform='translate(x,y) scale(r)'/>`.
    private func circle(color: String) throws(SVGError) -> SVGElement {
        guard self["xlink:href"] == "#gpPt6", let transform = self["transform"] else {
            throw .unsupported("symbol \(self["xlink:href"] ?? "without a name")")
        }
        let numbers = transform.split { !("0"..."9").contains($0) && $0 != "." && $0 != "-" }
        guard numbers.count == 3, numbers.allSatisfy({ Double($0)?.isFinite == true }) else {
            throw .unsupported("transform of a symbol")
        }
        return SVGElement(
            name: "circle",
            attributes: [
                Attribute(name: "cx", value: String(numbers[0])),
                Attribute(name: "cy", value: String(numbers[1])),
                Attribute(name: "r", value: String(numbers[2])),
                Attribute(name: "fill", value: color),
                Attribute(name: "stroke", value: "none"),
            ],
            children: []
        )
    }

    /// The page's word for one of gnuplot's colours.
    private static func paint(_ value: String) throws(SVGError) -> String {
        switch value {
        case "none": return "none"
        case "black", "currentColor": return Ink.text.css
        case "gray": return Ink.line.css
        case "white": return Ink.paper.css
        default: break
        }
        let numbers = value.split { !("0"..."9").contains($0) }.compactMap { Int($0) }
        guard value.hasPrefix("rgb("), numbers.count == 3, numbers.allSatisfy({ $0 < 256 }),
            let ink = Ink(red: numbers[0], green: numbers[1], blue: numbers[2])
        else { throw .unsupported("colour \(value)") }
        return ink.css
    }

    private var plainText: String {
        children.map { child in
            switch child {
            case .text(let content): content
            case .element(let element): element.plainText
            }
        }.joined()
    }
}

extension String {
    fileprivate var trimmingSpaces: String {
        let space: (Character) -> Bool = { $0.isWhitespace }
        let front = drop(while: space)
        guard let last = front.lastIndex(where: { !space($0) }) else { return "" }
        return String(front[...last])
    }
}
