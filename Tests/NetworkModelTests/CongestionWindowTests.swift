import Machines
import NetworkModel
import Testing
import Units

/// The growth rules, without packets: what a window does over round trips of 100 ms.
@Suite struct CongestionWindowTests {
    /// Raises the window by itself once a round trip, for as long as given.
    private func grow(
        _ window: inout CongestionWindow,
        roundTrips: Int,
        from start: Instant
    ) -> Instant {
        var now = start
        for _ in 0..<roundTrips {
            now += .milliseconds(100)
            // One acknowledgement for every two segments, as receivers send them.
            var rest = window.window
            while rest > 0 {
                window.raise(by: min(2, rest), smallestRoundTrip: .milliseconds(100), at: now)
                rest -= 2
            }
        }
        return now
    }

    /// Goal: slow start doubles and stops at the threshold (RFC 5681). Method: threshold 50.
    @Test(arguments: [CongestionControl.newReno, .cubic]) func slowStart(
        _ control: CongestionControl
    ) {
        var window = CongestionWindow(algorithm: control, initial: 10, usesHyStart: false)
        window.threshold = 50
        let now = grow(&window, roundTrips: 1, from: .zero)
        #expect(window.window == 20)
        _ = grow(&window, roundTrips: 1, from: now)
        #expect(window.window == 40)
    }

    /// Goal: NewReno grows by one segment a round trip and halves. Method: 20 round trips from 100.
    @Test func newReno() {
        var window = CongestionWindow(algorithm: .newReno, initial: 100, usesHyStart: false)
        window.threshold = 100
        _ = grow(&window, roundTrips: 20, from: .zero)
        #expect((119...120).contains(window.window))
        #expect(window.thresholdAfterLoss() == window.window / 2)
    }

    /// Goal: CUBIC returns to the window of its last loss after K = ∛((W − βW)/C) and stays near it
    /// (RFC 9438, section 4.2). Method: a loss at 1,000 segments: K = ∛(299/0.4) = 9.1 s.
    @Test func cubicPlateau() {
        var window = CongestionWindow(algorithm: .cubic, initial: 1000, usesHyStart: false)
        window.threshold = window.thresholdAfterLoss()
        #expect(window.threshold == 700)
        window.window = 700
        var now = grow(&window, roundTrips: 45, from: .zero)
        let half = window.window
        // W(K/2) = W − C·(K/2)³ = 1000 − 37.
        #expect((945...970).contains(half), "\(half) after half of K")
        now = grow(&window, roundTrips: 46, from: now)
        #expect((990...1003).contains(window.window), "\(window.window) after K")
        _ = grow(&window, roundTrips: 60, from: now)
        #expect(window.window > 1050, "\(window.window) six seconds later")
    }

    /// Goal: where round trips are short, CUBIC grows at least like Reno with its β, 3·0.3/1.7 =
    /// 0.53 segments a round trip (section 4.3). Method: small windows, where the cubic curve is
    /// flat.
    @Test func friendlyRegion() {
        var window = CongestionWindow(algorithm: .cubic, initial: 10, usesHyStart: false)
        window.threshold = window.thresholdAfterLoss()
        window.window = 7
        _ = grow(&window, roundTrips: 20, from: .zero)
        let grown = window.window - 7
        #expect((8...13).contains(grown), "grew by \(grown)")
    }

    /// Goal: a loss below the last maximum gives up a part of it (section 4.7). Method: two losses
    /// in a row; the second plateau is (1 + β)/2 of the window at the loss.
    @Test func fastConvergence() {
        var window = CongestionWindow(algorithm: .cubic, initial: 1000, usesHyStart: false)
        _ = window.thresholdAfterLoss()
        window.window = 800
        window.threshold = window.thresholdAfterLoss()
        window.window = window.threshold
        _ = grow(&window, roundTrips: 80, from: .zero)
        // K = ∛((680 − 560)/0.4) = 6.7 s to the plateau of 680.
        #expect((675...690).contains(window.window), "\(window.window)")
    }
}
