internal import Mustache

/// The page's templates, put together once.
enum Page {
    /// The page of a view. Traps when a template does not parse: they are part of the program.
    static func render(_ view: PageView) -> String { render(view, from: library) }

    /// The template `page` of a library, filled.
    static func render(_ view: Any, from library: MustacheLibrary) -> String {
        guard let page = library.render(view, withTemplate: "page") else {
            preconditionFailure("the template of the page is missing")
        }
        return page
    }

    /// Templates that know each other by name.
    static func makeLibrary(_ templates: [(name: String, template: String)]) -> MustacheLibrary {
        MustacheContentTypes.register(PageContent(), named: PageContent.name)
        var library = MustacheLibrary()
        // A partial does not inherit how its parent escapes, so every template says it.
        let pragma = "{{% CONTENT_TYPE:\(PageContent.name)}}"
        for (name, template) in templates {
            do {
                try library.register(pragma + template, named: name)
            } catch {
                preconditionFailure("the template \(name) does not parse: \(error)")
            }
        }
        return library
    }

    private static let library = makeLibrary(PageTemplates.all)
}
