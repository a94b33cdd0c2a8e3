import Effects
import Initialization
import Units

extension ConfigurationKey {
    /// Every setting, in the order of the documentation.
    static let all: [ConfigurationKey] =
        identity + boot + environment + resources + security + storage + network + work + rest

    private static let day = Interval.seconds(86_400)

    private static let identity: [ConfigurationKey] = [
        name("name", \.name, "The node's name, in certificates, logs and discovery."),
        name("region", \.region, "Where the node is."),
        path(
            "data-directory",
            isAbsolute: true,
            \.dataDirectory,
            "Everything the node keeps is below."
        ),
    ]

    private static let boot: [ConfigurationKey] = [
        choice(
            "boot.order",
            StartOrder.allCases.map { ($0.rawValue, $0) },
            \.boot.order,
            "When a component may start: one by one, by phase and level, or once what it needs "
                + "is ready."
        ),
        integer(
            "boot.concurrency-limit",
            1...1024,
            \.boot.concurrencyLimit,
            "Components that start at the same time."
        ),
        duration(
            "boot.deadline",
            .milliseconds(100) ... .seconds(3600),
            \.boot.bootDeadline,
            "From the start to READY; a boot that takes longer is rolled back."
        ),
        duration(
            "boot.rollback-deadline",
            .milliseconds(100) ... .seconds(3600),
            \.boot.rollbackDeadline,
            "Of a rollback."
        ),
        duration(
            "boot.drain-deadline",
            .zero ... .seconds(3600),
            \.boot.shutdown.drain,
            "At the end, for finishing what is under way."
        ),
        duration(
            "boot.cleanup-deadline",
            .milliseconds(100) ... .seconds(3600),
            \.boot.shutdown.cleanup,
            "At the end, for stopping components."
        ),
    ]

    private static let environment: [ConfigurationKey] = [
        choice(
            "environment.mode",
            [("detect", nil)] + NetworkMode.allCases.map { ($0.rawValue, $0) },
            \.environment.mode,
            "The kind of network; `detect` measures the paths to other nodes."
        ),
        list(
            "environment.probes",
            "addresses with ports",
            limit: 16,
            \.environment.probes,
            "Where other nodes answer probes, beside those that discovery knows.",
            read: { (text: String) throws(SettingFailure) in try SettingText.endpoint(text) },
            write: { $0.description }
        ),
        endpoint(
            "environment.answers-at",
            \.environment.answersAt,
            "Where this node answers probes (UDP)."
        ),
        duration(
            "environment.dwell",
            .zero...day,
            \.environment.dwell,
            "A mode stays at least this long."
        ),
        duration(
            "environment.period",
            .seconds(2)...day,
            \.environment.period,
            "Between two measurements."
        ),
    ]

    private static let resources: [ConfigurationKey] = [
        integer("resources.minimum-cores", 1...4096, \.resources.minimumCores, "Processor cores."),
        size(
            "resources.minimum-memory",
            .zero ... .gibibytes(1 << 20),
            \.resources.minimumMemory,
            "Memory of the machine."
        ),
        size(
            "resources.minimum-disk",
            .zero ... .gibibytes(1 << 20),
            \.resources.minimumDisk,
            "Space that is free where the data directory is."
        ),
        integer(
            "resources.minimum-open-files",
            0...10_000_000,
            \.resources.minimumOpenFiles,
            "Files and sockets that the process may have open."
        ),
        choice(
            "resources.below-minimum",
            NodeConfiguration.ResourceSettings.BelowMinimum.allCases.map { ($0.rawValue, $0) },
            \.resources.belowMinimum,
            "Whether a node that lacks resources starts, degraded, or ends."
        ),
        choice(
            "logging.level",
            ["trace", "debug", "info", "notice", "warning", "error", "critical"].map { ($0, $0) },
            \.logging.level,
            "The lowest level that is written."
        ),
    ]

    private static let security: [ConfigurationKey] = [
        path(
            "security.directory",
            \.security.directory,
            "Where keys and certificates are; below the data directory unless absolute."
        ),
        list(
            "security.names",
            "host names and addresses",
            limit: 32,
            \.security.names,
            "Names in the node's certificate, beside its own.",
            read: { (text: String) throws(SettingFailure) in try SettingText.hostName(text) },
            write: { $0 }
        ),
        duration(
            "security.authority-lifetime",
            .seconds(3600)...day * 36_500,
            \.security.authorityLifetime,
            "Of the certificate authority that the first start creates."
        ),
        duration(
            "security.certificate-lifetime",
            .seconds(60)...day * 3_650,
            \.security.certificateLifetime,
            "Of the node's certificate."
        ),
        duration(
            "security.rotate-before",
            .zero...day * 3_650,
            \.security.rotateBefore,
            "A certificate that ends earlier than this is replaced; less than its lifetime."
        ),
    ]

    private static let storage: [ConfigurationKey] = [
        path("database.file", \.database.file, "Below the data directory unless absolute."),
        duration(
            "database.busy-timeout",
            .zero ... .seconds(60),
            \.database.busyTimeout,
            "How long a statement waits for others."
        ),
        integer("cache.entries", 1...100_000_000, \.cache.entries, "The most entries."),
        size(
            "cache.bytes",
            .kibibytes(1) ... .gibibytes(1024),
            \.cache.bytes,
            "The most bytes of all entries."
        ),
        duration(
            "cache.time-to-live",
            .milliseconds(1)...day * 365,
            \.cache.timeToLive,
            "An entry's age at which it is dropped."
        ),
    ]

    private static let network: [ConfigurationKey] = [
        endpoint(
            "network.control",
            \.network.control,
            "The control interface: HTTPS with client certificates."
        ),
        integer(
            "network.connections",
            1...1_000_000,
            \.network.limits.connections,
            "Open connections of the control interface; more are refused."
        ),
        size(
            "network.request-bytes",
            .kibibytes(1) ... .gibibytes(1),
            \.network.requestSize,
            "The largest request of the control interface."
        ),
        duration(
            "network.idle-timeout",
            .milliseconds(100)...day,
            \.network.limits.idleTimeout,
            "A connection that says nothing for this long is closed."
        ),
        endpoint("dwcp.endpoint", \.dwcp.endpoint, "Where migrations of other nodes arrive."),
        single(
            "dwcp.streams",
            "auto, or integer, 1 to 256",
            .integerOr("auto", 1...256),
            \.dwcp.streams,
            "Parallel streams of a transfer; `auto` lets the transport decide.",
            read: { (text: String) throws(SettingFailure) in
                text == "auto" ? nil : try number(text, 1...256)
            },
            write: { $0.map { String($0) } ?? "auto" }
        ),
        choice(
            "dwcp.congestion",
            ["cubic", "newreno", "bbr"].map { ($0, $0) },
            \.dwcp.congestion,
            "Congestion control of the streams."
        ),
        choice(
            "dwcp.compression-level",
            [0, 1, 3, 9].map { ("\($0)", $0) },
            \.dwcp.compressionLevel,
            "Of zstd; 0 leaves pages uncompressed."
        ),
        optionalPath(
            "dwcp.certificate",
            \.dwcp.certificate,
            "TLS on the streams: the node's certificate and those above it, in PEM."
        ),
        optionalPath("dwcp.key", \.dwcp.key, "The certificate's key, 0600."),
        optionalPath(
            "dwcp.authorities",
            \.dwcp.authorities,
            "Authorities whose nodes may open streams, in PEM."
        ),
    ]

    private static let work: [ConfigurationKey] = [
        integer(
            "orchestration.capacity",
            1...10_000_000,
            \.orchestration.capacity,
            "Tasks that wait or run; more are refused."
        ),
        duration(
            "orchestration.lease",
            .seconds(1)...day,
            \.orchestration.lease,
            "A task whose worker says nothing for this long is given to another one."
        ),
        integer(
            "orchestration.attempts",
            1...100,
            \.orchestration.attempts,
            "After that many a task has failed for good."
        ),
        integer(
            "orchestration.workers",
            1...1024,
            \.orchestration.workers,
            "Tasks that run at the same time."
        ),
    ]

    private static let rest: [ConfigurationKey] = [
        endpoint("health.endpoint", \.health.endpoint, "Plain HTTP for health and metrics."),
        duration(
            "health.maximum-age",
            .milliseconds(10) ... .seconds(3600),
            \.health.maximumAge,
            "How old a cached answer may be."
        ),
        duration(
            "health.check-timeout",
            .milliseconds(10) ... .seconds(60),
            \.health.checkTimeout,
            "Of one component's check."
        ),
        path(
            "discovery.file",
            \.discovery.file,
            "The list of nodes; below the data directory unless absolute. No file means no other "
                + "nodes."
        ),
        duration(
            "discovery.period",
            .seconds(1)...day,
            \.discovery.period,
            "Between two looks at the file."
        ),
        job(.rotateCertificates, "When certificates are checked and replaced."),
        job(.pruneTasks, "When tasks that have ended are removed."),
        job(.checkDatabase, "When the database's integrity is checked."),
        duration(
            "jobs.jitter",
            .zero ... .seconds(3600),
            \.jobs.jitter,
            "Each run is delayed by a random part of this."
        ),
    ]

    private static func name(
        _ path: String,
        _ target: SettingPath<String>,
        _ meaning: String
    ) -> ConfigurationKey {
        single(
            path,
            "letters, digits, `-`, `_`, `.`",
            .text,
            target,
            meaning,
            read: { (text: String) throws(SettingFailure) in try SettingText.name(text) },
            write: { $0 }
        )
    }

    private static func path(
        _ key: String,
        isAbsolute: Bool = false,
        _ target: SettingPath<String>,
        _ meaning: String
    ) -> ConfigurationKey {
        single(
            key,
            isAbsolute ? "absolute path" : "path",
            .text,
            target,
            meaning,
            read: { (text: String) throws(SettingFailure) in
                try SettingText.path(text, isAbsolute: isAbsolute)
            },
            write: { $0 }
        )
    }

    private static func optionalPath(
        _ key: String,
        _ target: SettingPath<String?>,
        _ meaning: String
    ) -> ConfigurationKey {
        single(
            key,
            "none, or path",
            .text,
            target,
            meaning,
            read: { (text: String) throws(SettingFailure) in
                text == "none" ? nil : try SettingText.path(text, isAbsolute: false)
            },
            write: { $0 ?? "none" }
        )
    }

    /// One schedule a job; several of one job are possible in code only.
    private static func job(_ job: BackgroundJob, _ meaning: String) -> ConfigurationKey {
        single(
            "jobs.\(job.rawValue)",
            "off, or cron expression in quotes",
            .text,
            \.[schedule: job],
            meaning + " In UTC.",
            read: { (text: String) throws(SettingFailure) in
                text == "off" ? nil : try cronExpression(text)
            },
            write: { $0 ?? "off" }
        )
    }

    /// The shape only: five fields of the letters that may be there. Who runs the schedule reads
    /// its fields.
    private static func cronExpression(_ text: String) throws(SettingFailure) -> String {
        let isGood = text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "*"), UInt8(ascii: "/"),
                UInt8(ascii: ","), UInt8(ascii: "-"), UInt8(ascii: " "):
                true
            case _: false
            }
        }
        guard isGood, text.utf8.count <= 200, text.split(separator: " ").count == 5 else {
            throw SettingFailure(
                "'\(SettingText.shortened(text))' is no schedule: minute, hour, day, month and "
                    + "weekday, such as '17 3 * * *', or off"
            )
        }
        return text
    }
}

extension NodeConfiguration {
    /// The first schedule of a job; `nil` when it never runs.
    subscript(schedule job: BackgroundJob) -> String? {
        get { jobs.jobs.first { $0.job == job }?.schedule }
        set {
            guard let schedule = newValue else { return jobs.jobs.removeAll { $0.job == job } }
            if let place = jobs.jobs.firstIndex(where: { $0.job == job }) {
                jobs.jobs[place].schedule = schedule
            } else {
                jobs.jobs.append(JobSchedule(job: job, schedule: schedule))
            }
        }
    }
}

extension NodeConfiguration.NetworkSettings {
    /// `limits.requestBytes` as a size.
    var requestSize: ByteCount {
        get { ByteCount(limits.requestBytes) }
        set { limits.requestBytes = Int(newValue.bytes) }
    }
}
