public import Machines
import Measurements
public import Raft
public import RaftDefects
import ReplicatedStore
import Scenarios
import Units

/// Rules that an experiment can make for itself.
public protocol ExperimentRules: RaftRules {
    init(_ setting: ReplicationSetting)
}

extension StandardRules: ExperimentRules {
    public init(_ setting: ReplicationSetting) { self.init() }
}

extension DefectiveRules: ExperimentRules {
    public init(_ setting: ReplicationSetting) { self.init(setting.defect) }
}

/// The workload kind `requests`: replicated groups, and clients that load them openly.
public struct RequestExperiment<Rules: ExperimentRules>: Experiment {
    private let setting: ReplicationSetting
    private let plan: RequestPlan
    private let rules: Rules

    public init(_ setting: ReplicationSetting) {
        self.setting = setting
        rules = Rules(setting)
        plan = RequestPlan(
            setting.scenario,
            setting.variant.system,
            isTraced: setting.recorder != nil
        )
    }

    public func makeMachine(_ birth: Birth<RequestNode<Rules>>) -> RequestNode<Rules> {
        RequestNode(birth, plan, rules: rules)
    }

    public func makeObserver() -> RequestObserver<Rules> {
        RequestObserver(setting.scenario, plan, faults: setting.faultPlan, setting.recorder)
    }
}
