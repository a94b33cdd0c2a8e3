import StreamLinks
import Testing

// Goal: the two accounts never let the sender overwrite what the peer has not taken or the device
// may still read, nor use receives that are not posted. Method: steps, then seeded walks.
@Suite("Credit of a link")
struct AccountTests {
    @Test func placesComeRound() {
        var ring = RingAccount(length: 10)
        #expect(ring.next == (0, 10))
        ring.place(7)
        #expect(ring.next == (7, 3))
        ring.place(3)
        #expect(ring.free == 0 && ring.next == (0, 0))
        // Taken by the peer, but our device may still send it again.
        var isTaken = ring.take(upTo: 7)
        #expect(isTaken && ring.free == 0)
        ring.complete(7)
        #expect(ring.next == (0, 7))
        // Completed here, but not yet taken there.
        ring.complete(3)
        #expect(ring.free == 7)
        isTaken = ring.take(upTo: 10)
        #expect(isTaken && ring.free == 10)
    }

    @Test func impossibleCreditIsRefused() {
        var ring = RingAccount(length: 10)
        ring.place(4)
        let ringAnswers = [5, .max, 4, 3].map { ring.take(upTo: $0) }
        #expect(ringAnswers == [false, false, true, false])
        var messages = MessageAccount(limit: 16)
        var answers = [messages.take(upTo: 1)]
        messages.send()
        answers += [1, 0].map { messages.take(upTo: $0) }
        #expect(answers == [false, true, false])
    }

    @Test func someReceivesAreKeptForCredit() {
        var messages = MessageAccount(limit: 16)
        for _ in 0..<12 {
            #expect(messages.maySend)
            messages.send()
        }
        #expect(!messages.maySend && messages.mayReturnCredit)
        for _ in 0..<MessageAccount.reserve { messages.send() }
        #expect(!messages.mayReturnCredit)
    }
}
