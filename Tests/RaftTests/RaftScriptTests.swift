import Foundation
import InteractionScripts
import Testing

// Goal: whole exchanges, as a person would tell them, go as they should. Method: text files in `Scripts`,
// played on a stage where nothing moves by itself.
@Suite struct RaftScriptTests {
    @Test func scripts() throws {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Scripts")
        let scripts = try InteractionScript.load(folder: folder)
        #expect(scripts.count >= 2)
        for script in scripts {
            var theatre = RaftTheatre()
            for difference in script.differences(run: { theatre.run($0) }) {
                Issue.record(Comment(rawValue: difference))
            }
        }
    }
}
