import Foundation
import Reporting
import Testing

/// Goal: a page can be looked at.
@Suite struct PageRenderingTests {
    @Test func renders() throws {
        let page = try Report.render(ExampleInput().report)
        if let path = ProcessInfo.processInfo.environment["PAGE"] {
            try page.write(toFile: path, atomically: true, encoding: .utf8)
        }
    }
}
