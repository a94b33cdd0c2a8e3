internal import Mustache

/// The page's templates, put together once.
enum Page {
    /// The page of a view. Traps when a template does not parse: they are part of the program.
    static func render(_ view: PageView) -> String {
        guard let page = library.render(view, withTemplate: "page") else {
            preconditionFailure("the template of the page is missing")
        }
        return page
    }

    private static let library: MustacheLibrary = {
        MustacheContentTypes.register(PageContent(), named: PageContent.name)
        var library = MustacheLibrary()
        // A partial does not inherit how its parent escapes, so every template says it.
        let pragma = "{{% CONTENT_TYPE:\(PageContent.name)}}"
        for (name, template) in PageTemplates.all {
            do {
                try library.register(pragma + template, named: name)
            } catch {
                preconditionFailure("the template \(name) does not parse: \(error)")
            }
        }
        return library
    }()
}
