import Foundation

/// Where the laboratory keeps things: scenarios, hardware profiles, data sets, reports.
struct LabFolders {
    let root: String

    /// The folder that the launcher names; without it, the nearest folder above the working
    /// directory that holds scenarios, and else the working directory.
    static let current = LabFolders(root: findRoot())

    var datasets: String { "\(root)/datasets" }
    var reports: String { "\(root)/reports" }
    var hardware: String { "\(root)/scenarios/hardware" }
    /// The calibration that counts until this machine has measured one.
    var calibration: String { "\(datasets)/calibration.json" }
    var store: String { "\(reports)/results.sqlite" }

    private static func findRoot() -> String {
        if let named = ProcessInfo.processInfo.environment["NOVALAB_ROOT"], !named.isEmpty {
            return named
        }
        let files = FileManager.default
        var folder = URL(filePath: files.currentDirectoryPath)
        while folder.path != "/" {
            if files.fileExists(atPath: folder.appending(path: "scenarios/hardware").path) {
                return folder.path
            }
            folder.deleteLastPathComponent()
        }
        return files.currentDirectoryPath
    }
}
