import Determinism
import Machines
import SimulatedEnvironment
import Testing
import Units

/// Goal: a node lives on its own monotonic clock, whatever befalls that clock.
@Suite("Clocks of nodes") struct ClockTests {
    /// When a timer for 100 ms of the node's clock fires in the run's time, with a clock fault.
    private func fires(_ clock: ClockFault, from start: Int64 = 50, to end: Int64 = 500) -> [String]
    {
        let faults = fault(0, .clock([NodeID(0)], clock), from: start, to: end)
        var world = simulation(plan(nodes: [0], until: at(600), faults: faults)) {
            _,
            input,
            _,
            actions in
            if case .started = input { actions.setTimer(1, at: at(100)) }
        }
        _ = world.run()
        return world.observer.told(by: 0).filter { $0.contains("fired") }
    }

    @Test func timersFollowTheNodesClock() {
        // Set forward by 30 ms at 50: due at 70. Set back by 30: it stands still until 80, due at
        // 130.
        #expect(fires(.offset(.milliseconds(30))) == ["70000 fired 1"])
        #expect(fires(.offset(.milliseconds(-30))) == ["130000 fired 1"])
        #expect(fires(.jump(.milliseconds(30))) == ["70000 fired 1"])
        #expect(fires(.jump(.milliseconds(500))) == ["50000 fired 1"])
        // 25 % fast from 50 on: the other 50 ms take 40.
        #expect(fires(.drift(nanosecondsPerSecond: 250_000_000)) == ["90000 fired 1"])
        #expect(fires(.drift(nanosecondsPerSecond: -500_000_000)) == ["150000 fired 1"])
        #expect(fires(.freeze, from: 50, to: 80) == ["130000 fired 1"])
        #expect(fires(.freeze, from: 50, to: 599) == [])
    }

    @Test func anOffsetThatEndsLeavesNothingBehind() {
        // From 50 to 80 ahead by 200; then it stands still until the time it had shown at 80 is
        // true.
        let faults = fault(
            0,
            .clock([NodeID(0)], .offset(.milliseconds(200))),
            from: 50,
            to: 80
        )
        var world = simulation(plan(nodes: [0], until: at(600), faults: faults)) {
            _,
            input,
            now,
            actions in
            if case .started = input {
                for step in 1...8 { actions.setTimer(UInt32(step), at: at(Int64(step) * 50)) }
            }
            if case .fired = input { actions.emit("at \(now.nanoseconds / 1_000_000)") }
        }
        _ = world.run()
        #expect(
            world.observer.told(by: 0).filter { $0.contains("fired") } == [
                "50000 fired 1", "50000 fired 2", "50000 fired 3", "50000 fired 4", "50000 fired 5",
                "300000 fired 6", "350000 fired 7", "400000 fired 8",
            ]
        )
    }

    @Test func nothingMakesAClockGoBackOrATimerEarly() {
        // Method: many random faults of one clock that overlap; a machine that sets timers on its
        // clock and looks at it with every input.
        for seed in 1...20 as ClosedRange<UInt64> {
            var random = SeededRandom(seed: seed, entity: EntityID(.fault, 0), purpose: "test")
            var faults: [SimulationPlan.ScheduledFault] = []
            for number in 0..<12 {
                let start = Int64(random.below(800))
                let end = start + 1 + Int64(random.below(150))
                let amount = Int64(random.below(200_000_000)) - 100_000_000
                let kinds: [ClockFault] = [
                    .offset(Interval(nanoseconds: amount)), .jump(Interval(nanoseconds: amount)),
                    .drift(nanosecondsPerSecond: amount * 9), .freeze,
                ]
                let kind = kinds[Int(random.below(4))]
                faults += fault(number, .clock([NodeID(0)], kind), from: start, to: end)
            }
            faults.sort { $0.at < $1.at }
            var world = simulation(plan(nodes: [0], until: at(1_500), faults: faults)) {
                _,
                input,
                now,
                actions in
                switch input {
                case .started, .fired:
                    actions.emit("now \(now.nanoseconds)")
                    let due = now + .microseconds(700)
                    actions.emit("due \(due.nanoseconds)")
                    actions.setTimer(0, at: due)
                default: break
                }
            }
            _ = world.run()
            var last: Int64 = 0
            var due: Int64 = 0
            for text in world.observer.texts(by: 0) {
                let words = text.split(separator: " ")
                guard words.count == 2, let value = Int64(words[1]) else { continue }
                if words[0] == "now" {
                    #expect(value >= last && value >= due, "seed \(seed)")
                    last = value
                } else if words[0] == "due" {
                    due = value
                }
            }
            #expect(last > 500_000_000, "seed \(seed) came to \(last)")
        }
    }

    @Test func aHeldTimerOfAFaultyClockStillFires() {
        let faults =
            fault(0, .pause([NodeID(0)]), from: 90, healing: .resume([NodeID(0)]), to: 200)
            + fault(1, .clock([NodeID(0)], .jump(.milliseconds(-80))), from: 150, to: 151)
        var world = simulation(plan(nodes: [0], until: at(400), faults: faults)) {
            _,
            input,
            _,
            actions in
            if case .started = input { actions.setTimer(1, at: at(100)) }
        }
        _ = world.run()
        #expect(world.observer.told(by: 0).contains("200000 fired 1"))
    }
}
