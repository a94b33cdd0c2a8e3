import Determinism
import Reporting
import Testing

/// Goal: reading drawings never traps, and axes always show their data.
/// Method: hand-made documents, and seeded mutations of a valid one as well as random bytes.
@Suite struct DrawingTests {
    private static let sample = """
        <?xml version="1.0"?>
        <svg viewBox="0 0 9 9" xmlns:xlink="x"><title>t</title><!-- c -->
        <g color="black" stroke="currentColor" id="a"><path stroke='rgb(  1, 254,   4)' d='M0,0 L1,1 '/></g>
        <use xlink:href='#gpPt6' transform='translate(1.5,-2) scale(3)' color='rgb(1,254,129)'/>
        <text><tspan fill="none"> a &lt; b &amp; c </tspan></text><g></g></svg>
        """

    @Test func translatesWhatGnuplotWrites() throws {
        let drawing = try SVGElement.parse(DrawingTests.sample).themed(label: "l")
        let expected =
            "<svg class=\"chart\" viewBox=\"0 0 9 9\" role=\"img\" aria-label=\"l\">"
            + "<g stroke=\"var(--ink)\"><path stroke=\"var(--paper)\" d=\"M0,0 L1,1\"/></g>"
            + "<circle cx=\"1.5\" cy=\"-2\" r=\"3\" fill=\"var(--v1)\" stroke=\"none\"/>"
            + "<text>a &lt; b &amp; c</text></svg>"
        #expect(drawing == expected)
    }

    @Test(arguments: [
        "", "<svg", "<svg>", "<svg></g>", "<svg a=b></svg>", "<svg>&x;</svg>", "<svg/><svg/>",
        "<svg a='<'/>", "<!-- ", "<svg a='1",
    ])
    func refusesWhatIsMalformed(_ document: String) {
        #expect(throws: SVGError.self) { try SVGElement.parse(document) }
    }

    @Test(arguments: [
        "<svg/>", "<p viewBox='0'/>", "<svg viewBox='0'><script/></svg>",
        "<svg viewBox='0'><path onload='x'/></svg>", "<svg viewBox='0'><path fill='red'/></svg>",
        "<svg viewBox='0'><use xlink:href='#gpPt3' transform='translate(1,1) scale(1)'/></svg>",
        "<svg viewBox='0'><use xlink:href='#gpPt6' transform='scale(1)'/></svg>",
    ])
    func refusesWhatHasNoTranslation(_ document: String) throws {
        let element = try SVGElement.parse(document)
        #expect(throws: SVGError.self) { try element.themed(label: "l") }
    }

    @Test func depthIsBounded() {
        let deep = String(repeating: "<g>", count: 10_000)
        #expect(throws: SVGError.tooDeep) { try SVGElement.parse(deep) }
    }

    @Test func mutatedDrawingsNeverTrap() {
        var random = SeededRandom(stateFrom: 20_260)
        let sample = Array(DrawingTests.sample.utf8)
        let pieces = Array("<>/='\"&;-!?g ".utf8)
        var accepted = 0
        for round in 0..<100_000 {
            var bytes = round % 10 == 0 ? [] : sample
            if bytes.isEmpty {
                bytes = (0..<40).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            }
            for _ in 0...Int(random.below(3)) {
                let place = Int(random.below(UInt64(bytes.count)))
                switch random.below(4) {
                case 0: bytes[place] = UInt8(truncatingIfNeeded: random.next())
                case 1: bytes[place] = pieces[Int(random.below(UInt64(pieces.count)))]
                case 2: bytes.remove(at: place)
                default: bytes.removeLast(min(bytes.count - 1, Int(random.below(30))))
                }
            }
            let text = String(decoding: bytes, as: UTF8.self)
            if let element = try? SVGElement.parse(text),
                (try? element.themed(label: text)) != nil
            {
                accepted += 1
            }
        }
        #expect(accepted > 0 && accepted < 90_000, "\(accepted) accepted")
    }

    @Test func colourMeaningsSurviveTheWayThroughGnuplot() {
        let all: [Ink] =
            [.text, .quiet, .line, .thread, .paper, .fault, .warmup, .target, .verdict(.go)]
            + (0..<Ink.accentCount).map { .variant($0) }
        for ink in all {
            let number = Int(ink.code.dropFirst(), radix: 16)!
            let back = Ink(red: number >> 16, green: number >> 8 & 255, blue: number & 255)
            #expect(back == ink)
        }
        #expect(Ink(red: 0, green: 0, blue: 0) == nil)
        #expect(Ink.variant(Ink.accentCount).code == Ink.variant(0).code)
    }

    @Test func axesShowAllValuesWithFewDistinctTicks() {
        var random = SeededRandom(stateFrom: 7)
        for _ in 0..<20_000 {
            let magnitude = DeterministicMath.exp(random.unit() * 50 - 20)
            let centre = (random.unit() * 2 - 1) * magnitude
            let values = (0..<4).map { _ in centre + random.unit() * magnitude }
            let unit = random.below(2) == 0 ? "ms" : "bit/s"
            let axis = Axis(covering: values, unit: unit, fromZero: random.below(2) == 0)
            let slack = (axis.high - axis.low) * 1e-6
            for value in values {
                let place = value / axis.scale.factor
                #expect(place >= axis.low - slack && place <= axis.high + slack)
            }
            #expect(axis.ticks.count >= 2 && axis.ticks.count <= 12, "\(axis.ticks)")
            #expect(Set(axis.ticks.map(\.label)).count == axis.ticks.count, "\(axis.ticks)")
        }
    }

    @Test func axesOfOneValueHaveRoom() {
        for value in [0, 5, -3, 1e-9, 2e12] {
            let axis = Axis(covering: [value], unit: "bit/s", fromZero: false)
            #expect(axis.low < axis.high)
        }
        #expect(Axis(covering: [], unit: "s", fromZero: true).low == 0)
        #expect(Axis(covering: [0, 181e6], unit: "bit/s", fromZero: true).scale.unit == "Mbit/s")
    }
}
