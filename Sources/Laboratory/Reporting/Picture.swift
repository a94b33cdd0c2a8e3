/// A figure that can be drawn, or the reason why there is none.
enum Picture {
    case chart(Chart, caption: String)
    /// One sentence.
    case omitted(String)
}
