/// How a page is represented in a batch; the raw value is its byte in the structure section.
public enum PageClass: UInt8, Hashable, Sendable, CaseIterable {
    /// All zeros; nothing else is sent.
    case zero = 0
    /// Equal to the page's own content at the receiver.
    case unchanged = 1
    /// Equal to a page earlier in the same batch; a reference is sent.
    case duplicateInBatch = 2
    /// Equal to another page that the receiver holds before the batch; a reference is sent.
    case duplicateInMemory = 3
    /// The page's own content at the receiver with some words replaced: a mask and the new words.
    case delta = 4
    /// The whole page.
    case literal = 5
}
