/// What the templates of a chaos report print: text only, but for drawings.
struct ChaosView {
    var title: String
    var subtitle: String
    var word: String
    var tone: String
    var leadReason: String
    var reasons: [String]
    var chips: [String]
    var warnings: [String]
    var replay: String?
    var replayWord = "again"
    var contents: [PageView.Link]
    var groups: [Group]
    var noGroups: String?
    var faults: [Coverage]
    var faultNote: String
    var sometimes: [Sighting]
    var sightings: [Sighting]
    var checks: [Sighting]
    var facts: [PageView.Row]
    var models: [PageView.Row]

    struct Group {
        var tone: String
        var kind: String
        var rule: String
        var shape: String
        var count: String
        var example: String
        var seeds: String
        var minimal: [String]
        var hasMinimal: Bool
        var commands: [String]
        var diagram: Diagram?
        /// Of the history that failed, where one did.
        var picture: Diagram?
    }

    struct Diagram {
        var drawing: String
        var caption: String
    }

    struct Coverage {
        var name: String
        var planned: String
        var fired: String
        var healed: String
        var warning: String
    }

    struct Sighting {
        var name: String
        var count: String
        var tone: String
    }
}

/// The page of a chaos report. Elements are closed as XML asks, so that a strict reader can check it.
enum ChaosPage {
    static func render(_ view: ChaosView) -> String { Page.render(view, from: library) }

    private static let library = Page.makeLibrary([
        ("page", page), ("head", PageTemplates.head(style: style)),
        ("verdict", PageTemplates.verdict), ("failures", failures), ("coverage", coverage),
        ("sighting", sighting),
    ])

    private static let style = """

        .failure{border-top:1px solid var(--line);padding:.9rem 0}
        .failure h3{margin:.1rem 0}.failure .sequence{max-width:100%;height:auto}
        """

    private static let page = """
        <!DOCTYPE html>
        <html lang="en">
        {{> head}}
        <body>
        <header>
        <h1>{{title}}</h1>
        <p class="sub">{{subtitle}}</p>
        </header>
        <main>
        {{> verdict}}
        <section id="origins">
        <h2>What ran</h2>
        <dl class="rows">
        {{#facts}}
        <dt>{{name}}</dt><dd>{{value}}</dd>
        {{/facts}}
        </dl>
        <details class="facts">
        <summary>Models and what they assume</summary>
        <dl class="rows">
        {{#models}}
        <dt>{{name}}</dt><dd>{{value}}</dd>
        {{/models}}
        </dl>
        </details>
        </section>
        {{> failures}}
        {{> coverage}}
        </main>
        </body>
        </html>

        """

    private static let failures = """
        <section id="failures">
        <h2>Failures, by what went wrong</h2>
        {{#noGroups}}
        <p class="dim">{{.}}</p>
        {{/noGroups}}
        {{#groups}}
        <article class="failure">
        <h3><span class="{{tone}}">{{kind}}</span> · {{rule}}</h3>
        <p>{{shape}}</p>
        <p class="dim">{{count}}: {{seeds}}</p>
        <p><strong>In the first of them:</strong> {{example}}</p>
        {{#hasMinimal}}
        <p><strong>What is left once it is made small:</strong></p>
        {{/hasMinimal}}
        {{#minimal}}
        {{#first()}}<ul>{{/first()}}
        <li>{{.}}</li>
        {{#last()}}</ul>{{/last()}}
        {{/minimal}}
        {{#commands}}
        <p class="replay"><code>{{.}}</code></p>
        {{/commands}}
        {{#picture}}
        <figure>
        <div class="scroll">{{{drawing}}}</div>
        <figcaption>{{caption}}</figcaption>
        </figure>
        {{/picture}}
        {{#diagram}}
        <figure>
        <div class="scroll">{{{drawing}}}</div>
        <figcaption>{{caption}} A line is a node, an arrow a message, dashed when it was lost; a band is a fault.</figcaption>
        </figure>
        {{/diagram}}
        </article>
        {{/groups}}
        </section>
        """

    private static let coverage = """
        <section id="coverage">
        <h2>Coverage</h2>
        <p class="dim">{{faultNote}}</p>
        {{#faults}}
        {{#first()}}
        <div class="scroll">
        <table class="stack">
        <thead><tr><th>fault</th><th class="n">planned</th><th class="n">fired</th><th class="n">healed</th><th></th></tr></thead>
        <tbody>
        {{/first()}}
        <tr><td data-name="fault">{{name}}</td><td data-name="planned" class="n">{{planned}}</td><td data-name="fired" class="n">{{fired}}</td><td data-name="healed" class="n">{{healed}}</td><td data-name="" class="maybe">{{warning}}</td></tr>
        {{#last()}}
        </tbody>
        </table>
        </div>
        {{/last()}}
        {{/faults}}
        <h3>What must be met at least once</h3>
        {{#sometimes}}
        {{> sighting}}
        {{/sometimes}}
        {{^sometimes}}
        <p class="dim">The scenario asks for nothing.</p>
        {{/sometimes}}
        <h3>What was checked</h3>
        {{#checks}}
        {{> sighting}}
        {{/checks}}
        <details>
        <summary>Everything else that was met</summary>
        {{#sightings}}
        {{> sighting}}
        {{/sightings}}
        </details>
        </section>
        """

    private static let sighting = """
        <p><code>{{name}}</code> <span class="{{tone}}">{{count}}</span></p>
        """
}
