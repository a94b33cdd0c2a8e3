public import Initialization

/// What goes wrong in a boot (`init.*` of the fault catalogue).
///
/// A fault strikes once it is due: crashes and failures when the boot next comes to the place, the
/// others at once.
public enum BootFault: Hashable, Sendable {
    /// The node crashes at the place; when the fault heals it starts again.
    case crash(Place, Point)
    /// The service needs so many times longer for a request; at least one.
    case dependencySlow(String, factor: Double)
    /// The service is gone: it refuses, or says nothing.
    case dependencyDown(String, silent: Bool)
    /// The node's configuration file is cut in the middle.
    case configTorn
    /// The component's next attempts fail after their work.
    case fail(String, attempts: Int)
    /// The component's costs are so many times higher; at least one.
    case slow(String, factor: Double)

    /// Where in a boot.
    public enum Place: Hashable, Sendable {
        case component(String)
        /// The first component of the phase that starts, or the last that ends.
        case phase(BootPhase)
    }

    public enum Point: String, Hashable, Sendable, CaseIterable {
        case before
        case after
    }

    /// As in the fault catalogue.
    public var kind: String {
        switch self {
        case .crash: "init.crash"
        case .dependencySlow: "init.dependency-slow"
        case .dependencyDown: "init.dependency-down"
        case .configTorn: "init.config-torn"
        case .fail: "init.fail"
        case .slow: "init.slow"
        }
    }

    /// The component that the fault names; `nil` when it names none.
    public var component: String? {
        switch self {
        case .crash(.component(let name), _), .fail(let name, _), .slow(let name, _): name
        case .crash(.phase, _), .dependencySlow, .dependencyDown, .configTorn: nil
        }
    }

    /// The service that the fault names; `nil` for faults of nodes.
    public var service: String? {
        switch self {
        case .dependencySlow(let name, _), .dependencyDown(let name, _): name
        case .crash, .configTorn, .fail, .slow: nil
        }
    }
}

extension FaultRule.Action {
    /// The shared service that the fault strikes; `nil` for faults of nodes and links.
    public var service: String? {
        guard case .boot(let fault) = self else { return nil }
        return fault.service
    }
}
