import Testing

/// Loss recovery step by step; `ScriptedPair` explains the notation.
@Suite struct RecoveryScriptTests {
    private func expect(
        _ transcript: String,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let script = transcript.split(separator: "\n").filter { !$0.hasPrefix("  ") }
        var pair = ScriptedPair()
        let found = pair.run(script.joined(separator: "\n"))
        #expect(found == transcript, sourceLocation: sourceLocation)
    }

    /// Goal: one lost segment is sent again once three later ones are reported, new data flows on,
    /// and the window ends at 0.7 of what it was. Method: lose the third of ten; the window has
    /// grown to twelve by then.
    @Test func oneLoss() {
        expect(
            """
            write 20
              > 0 1 2 3 4 5 6 7 8 9
            lose 2
            forth
              < 1
              < 2
              < 2 [3-4]
              < 2 [3-5]
              < 2 [3-6]
              < 2 [3-7]
              < 2 [3-8]
              < 2 [3-9]
              < 2 [3-10]
            back
              > 10 11
              > 12 13
              > 14
              > 15
              > 2
              > 16
              > 17
              > 18
            state
              recovery window 10
            forth
              < 2 [3-11]
              < 2 [3-12]
              < 2 [3-13]
              < 2 [3-14]
              < 2 [3-15]
              < 2 [3-16]
              < 16
              < 18
            back
              < 19
              > 19
            state
              open window 8
            """
        )
    }

    /// Goal: two holes are filled in one recovery with one reduction, and the latest block is
    /// reported first. Method: lose the fourth and the eighth; thirteen times 0.7 are nine.
    @Test func twoHoles() {
        expect(
            """
            write 10
              > 0 1 2 3 4 5 6 7 8 9
            lose 3 7
            forth
              < 1
              < 2
              < 3
              < 3 [4-5]
              < 3 [4-6]
              < 3 [4-7]
              < 3 [8-9] [4-7]
              < 3 [8-10] [4-7]
            back
              > 3
              > 7
            state
              recovery window 3
            forth
              < 7 [8-10]
              < 10
            back
            state
              open window 9
            """
        )
    }

    /// Goal: a lost retransmission is found by what was sent after it, without a time-out (RACK).
    /// Method: lose the second and third, then the second again.
    @Test func lostRetransmission() {
        expect(
            """
            write 10
              > 0 1 2 3 4 5 6 7 8 9
            lose 1 2
            forth
              < 1
              < 1 [3-4]
              < 1 [3-5]
              < 1 [3-6]
              < 1 [3-7]
              < 1 [3-8]
              < 1 [3-9]
              < 1 [3-10]
            back
              > 1
              > 2
            lose 1
            forth
              < 1 [2-10]
            back
              > 1
            state
              recovery window 4
            forth
              < 10
            back
            state
              open window 7
            """
        )
    }

    /// Goal: a lost tail is found by a probe after two round trips. Method: lose the last two of
    /// five; the window of ten was not used up and did not grow.
    @Test func lostTail() {
        expect(
            """
            write 5
              > 0 1 2 3 4
            lose 3 4
            forth
              < 1
              < 2
              < 3
            back
            wait 200
              > 4
            forth
              < 3 [4-5]
            back
              > 3
            forth
              < 5
            back
            state
              open window 7
            """
        )
    }

    /// Goal: when everything is lost, a probe comes first, then time-outs that double, then slow
    /// start. Method: time-outs are due 280, 840 and 1,960 ms after the probe at 162 ms.
    @Test func everythingLost() {
        expect(
            """
            write 4
              > 0 1 2 3
            lose 0 1 2 3
            wait 200
              > 3
            state
              open window 10
            lose 3
            wait 230
            wait 20
              > 0
            wait 540
            wait 20
              > 0
            wait 1100
            wait 20
              > 0
            state
              loss window 1
            forth
              < 1
              < 1
              < 1
            back
              > 1 2
            state
              loss window 2
            forth
              < 2
              < 3
            back
              > 3
            state
              loss window 4
            """
        )
    }

    /// Goal: with fewer than three reports a segment is deemed lost a quarter of a round trip
    /// later. Method: lose the first of three; 20 ms plus 2 ms of timer slack.
    @Test func earlyRetransmit() {
        expect(
            """
            write 3
              > 0 1 2
            lose 0
            forth
              < 0 [1-2]
              < 0 [1-3]
            back
            state
              disorder window 10
            wait 20
            wait 3
              > 0
            state
              recovery window 1
            forth
              < 3
            back
            state
              open window 7
            """
        )
    }
}
