extension PageView {
    struct Boot {
        var notes: [String]
        var strips: [BootStrip]
        var legend: [BootMark]
        var rows: [BootRow]
        var paths: [Row]
        var tables: [BootTable]
    }

    struct BootStrip {
        /// Classes: how many panels stand abreast and how high rows are.
        var style: String
        var panels: [BootPanel]
    }

    struct BootPanel {
        var names: [BootName]
        var accent: String
        var title: String
        var choice: String
        var drawing: String
    }

    struct BootName {
        /// `phase` or `part`.
        var style: String
        var text: String
    }

    struct BootMark {
        var style: String
        var text: String
    }

    struct BootRow {
        var accent: String
        var variant: String
        var choice: String
        var bootTime: String
        var sum: String
        var critical: String
        var speedup: String
        var bound: String
    }

    struct BootTable {
        var title: String
        var rows: [BootComponent]
    }

    struct BootComponent {
        var phase: String
        var name: String
        var start: String
        var end: String
        var duration: String
        var attempts: String
        var outcome: String
        var critical: String
    }

    struct CrashPoints {
        var tone: String
        var summary: String
        var rows: [CrashPoint]
    }

    struct CrashPoint {
        var tone: String
        var sign: String
        var name: String
        var tried: String
        var survived: String
    }
}
