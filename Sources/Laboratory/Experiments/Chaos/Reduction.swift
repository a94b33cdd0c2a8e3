public import FaultInjection
public import Scenarios
public import Units

/// What a replication leaves out of its scenario: nothing, or as much as a failure can do without.
public struct Reduction: Hashable, Sendable, Codable {
    /// The planned faults that are carried out; `nil` for all.
    public var faults: [PlannedFault.Name]?
    /// Regions that have fewer nodes than the scenario gives them. With fewer nodes faults pick
    /// anew among those that are left, at the same times.
    public var regions: [RegionSize]
    /// Operations of the workload; `nil` for the scenario's.
    public var operations: Int?
    /// The run stops there; `nil` for its own end.
    public var until: Instant?

    public struct RegionSize: Hashable, Sendable, Codable {
        public var region: String
        public var nodes: Int

        public init(region: String, nodes: Int) {
            self.region = region
            self.nodes = nodes
        }
    }

    public init(
        faults: [PlannedFault.Name]? = nil,
        regions: [RegionSize] = [],
        operations: Int? = nil,
        until: Instant? = nil
    ) {
        self.faults = faults
        self.regions = regions
        self.operations = operations
        self.until = until
    }

    /// Nothing is left out.
    public static let none = Reduction()

    /// The same with another number of nodes in a region.
    func setting(nodes: Int, of region: String) -> Reduction {
        var reduction = self
        reduction.regions.removeAll { $0.region == region }
        reduction.regions.append(RegionSize(region: region, nodes: nodes))
        return reduction
    }
}

extension ReplicationSetting {
    /// The replication without what `reduction` leaves out.
    ///
    /// - Throws: When the smaller scenario is none: a role without a node, a fault that selects
    ///   nothing.
    public func reduced(by reduction: Reduction) throws(ScenarioError) -> ReplicationSetting {
        var setting = self
        for size in reduction.regions {
            for index in scenario.topology.regions.indices
            where scenario.topology.regions[index].name == size.region {
                setting.scenario.topology.regions[index].nodes = size.nodes
            }
        }
        if !reduction.regions.isEmpty {
            setting.scenario.workload.fit(into: setting.scenario.topology)
        }
        if let operations = reduction.operations {
            setting.scenario.workload.operations = operations
        }
        if setting.scenario != scenario {
            // Only reading tells whether the parts still fit; traces are not part of the text, so the
            // changed value goes on.
            _ = try ScenarioFile.parse(setting.scenario.resolvedText, file: "reduced scenario")
        }
        setting.keptFaults = reduction.faults
        return setting
    }
}
