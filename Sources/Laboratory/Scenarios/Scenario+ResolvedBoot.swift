import Initialization
import Units

extension Scenario {
    func write(_ boot: BootWorkload, into yaml: inout YAMLText) {
        if let region = boot.region { yaml.field("region", regionName(region)) }
        switch boot.graph {
        case .node(let costs):
            yaml.field("graph", "node")
            if let costs { yaml.field("costs", YAMLText.name(costs)) }
        case .components(let components):
            yaml.mapping("components") { yaml in
                for component in components {
                    yaml.mapping(YAMLText.name(component.specification.name)) {
                        Scenario.write(component, into: &$0)
                    }
                }
            }
        }
        yaml.mapping("variation") { yaml in
            yaml.field("distribution", boot.sigma > 0 ? "lognormal" : "none")
            if boot.sigma > 0 { yaml.field("sigma", QuantityText.numberText(boot.sigma)) }
        }
        yaml.mapping("shared") { yaml in
            for service in boot.shared {
                yaml.mapping(YAMLText.name(service.name)) { Scenario.write(service, into: &$0) }
            }
        }
        yaml.field("stagger", Scenario.spanText(boot.stagger))
        if let cores = boot.cores { yaml.field("cores", cores) }
        yaml.field("start", boot.start.rawValue)
        yaml.field("crash-points", boot.crashPoints.rawValue)
        yaml.field("deadline", boot.deadline)
    }

    private static func write(_ component: BootWorkload.Component, into yaml: inout YAMLText) {
        let specification = component.specification
        yaml.field("phase", specification.phase.rawValue)
        yaml.names("needs", specification.dependencies)
        yaml.names("wants", specification.optionalDependencies)
        yaml.field("cpu", component.cpu)
        yaml.field("wait", component.wait)
        yaml.field("origin", component.origin.rawValue)
        yaml.field("split", component.split.rawValue)
        if let part = component.part { yaml.field("part-of", YAMLText.name(part)) }
        yaml.field("criticality", specification.criticality.rawValue)
        yaml.field("timeout", specification.timeout)
        yaml.mapping("retry") { yaml in
            yaml.field("attempts", specification.retry.attempts)
            yaml.field("delay", specification.retry.delay)
            yaml.field("factor", QuantityText.numberText(specification.retry.factor))
            yaml.field("jitter", QuantityText.percentText(Ratio(specification.retry.jitter)))
        }
        yaml.field("readiness", specification.holdsReadiness ? "required" : "background")
        yaml.mapping("uses") { yaml in
            for use in component.uses { yaml.field(YAMLText.name(use.service), use.requests) }
        }
    }

    private static func write(
        _ service: BootWorkload.SharedDependency,
        into yaml: inout YAMLText
    ) {
        yaml.field("servers", service.servers)
        yaml.field("service-time", service.serviceTime)
        yaml.field("distribution", service.distribution.rawValue)
        yaml.field("queue", service.queue)
        yaml.field("timeout", service.timeout)
        yaml.field("rtt", service.roundTrip)
    }

    static func write(
        _ initialization: SystemConfiguration.BootOptions,
        into yaml: inout YAMLText
    ) {
        yaml.mapping("initialization") { yaml in
            yaml.field("order", initialization.order.rawValue)
            yaml.field("concurrency", initialization.concurrency)
            yaml.field("boot-deadline", initialization.bootDeadline)
            yaml.field("rollback-deadline", initialization.rollbackDeadline)
        }
    }

    static func write(_ fault: BootFault, into yaml: inout YAMLText) {
        switch fault {
        case .crash(let place, let point):
            switch place {
            case .component(let name): yaml.field("component", YAMLText.name(name))
            case .phase(let phase): yaml.field("phase", phase.rawValue)
            }
            yaml.field("point", point.rawValue)
        case .dependencySlow(let service, let factor):
            yaml.field("service", YAMLText.name(service))
            yaml.field("factor", QuantityText.numberText(factor))
        case .dependencyDown(let service, let silent):
            yaml.field("service", YAMLText.name(service))
            yaml.field("silence", silent ? "silent" : "refuses")
        case .configTorn: break
        case .fail(let component, let attempts):
            yaml.field("component", YAMLText.name(component))
            yaml.field("attempts", attempts)
        case .slow(let component, let factor):
            yaml.field("component", YAMLText.name(component))
            yaml.field("factor", QuantityText.numberText(factor))
        }
    }
}
