import Units

/// Records written before a part existed read as records without it.
extension Marker: Decodable {
    private enum Keys: CodingKey {
        case time, node, kind, text, fields
    }

    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: Keys.self)
        time = try values.decode(Instant.self, forKey: .time)
        node = try values.decode(String.self, forKey: .node)
        kind = try values.decode(String.self, forKey: .kind)
        text = try values.decodeIfPresent(String.self, forKey: .text) ?? ""
        fields = try values.decode([Field].self, forKey: .fields)
    }
}

extension RunRecord: Decodable {
    private enum Keys: CodingKey {
        case key, commit, fingerprint, checkpoints, outcome, events, simulatedSeconds
        case kernelSeconds, workSeconds, realSeconds, peakMemoryBytes, metrics, series
        case histograms, faults, invariants, markers, spans, facts
    }

    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: Keys.self)
        key = try values.decode(RunKey.self, forKey: .key)
        commit = try values.decode(String.self, forKey: .commit)
        fingerprint = try values.decode(String.self, forKey: .fingerprint)
        checkpoints = try values.decode([Checkpoint].self, forKey: .checkpoints)
        outcome = try values.decode(RunOutcome.self, forKey: .outcome)
        events = try values.decode(UInt64.self, forKey: .events)
        simulatedSeconds = try values.decode(Double.self, forKey: .simulatedSeconds)
        kernelSeconds = try values.decode(Double.self, forKey: .kernelSeconds)
        workSeconds = try values.decode(Double.self, forKey: .workSeconds)
        realSeconds = try values.decode(Double.self, forKey: .realSeconds)
        peakMemoryBytes = try values.decode(UInt64.self, forKey: .peakMemoryBytes)
        metrics = try values.decode([MetricValue].self, forKey: .metrics)
        series = try values.decode([Series].self, forKey: .series)
        histograms = try values.decode([NamedHistogram].self, forKey: .histograms)
        faults = try values.decode([FaultRecord].self, forKey: .faults)
        invariants = try values.decode([InvariantOutcome].self, forKey: .invariants)
        markers = try values.decode([Marker].self, forKey: .markers)
        spans = try values.decodeIfPresent([Span].self, forKey: .spans) ?? []
        facts = try values.decode([Fact].self, forKey: .facts)
    }
}
