/// The page in parts. Elements are closed as XML asks, so that a strict reader can check the page.
enum PageTemplates {
    static let all: [(name: String, template: String)] = [
        ("page", page), ("head", head()), ("verdict", verdict), ("targets", targets),
        ("definition", definition), ("figure", figure), ("time", time), ("metrics", metrics),
        ("variants", variants), ("faults", faults), ("origins", origins), ("queries", queries),
        ("boot", boot), ("crashPoints", crashPoints),
    ]

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
        {{> origins}}
        {{> targets}}
        {{> boot}}
        {{> time}}
        {{> metrics}}
        {{> variants}}
        {{> faults}}
        {{> queries}}
        </main>
        </body>
        </html>

        """

    /// - Parameter style: what a page needs beside the common style sheet.
    static func head(style: String = "") -> String {
        """
        <head>
        <meta charset="utf-8"/>
        <meta name="viewport" content="width=device-width, initial-scale=1"/>
        <meta name="color-scheme" content="light dark"/>
        <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'"/>
        <title>{{title}} · {{word}}</title>
        <style>
        \(PageStyle.sheet)\(style)
        </style>
        </head>
        """
    }

    static let verdict = """
        {{#notices}}
        <p class="notice">{{.}}</p>
        {{/notices}}
        <section class="verdict {{tone}}" id="verdict" aria-label="Verdict">
        <p class="word">{{word}}</p>
        <div>
        <p class="lead">{{leadReason}}</p>
        {{#reasons}}
        <p>{{.}}</p>
        {{/reasons}}
        <ul class="chips">
        {{#chips}}
        <li>{{.}}</li>
        {{/chips}}
        </ul>
        {{#replay}}
        <p class="replay"><span>{{replayWord}}:</span> <code>{{.}}</code></p>
        {{/replay}}
        </div>
        </section>
        {{#warnings}}
        <p class="notice">{{.}}</p>
        {{/warnings}}
        <nav aria-label="Contents">
        {{#contents}}
        <a href="#{{anchor}}">{{text}}</a>
        {{/contents}}
        </nav>
        """

    private static let targets = """
        <section id="targets">
        <h2>Targets</h2>
        {{#noTargets}}
        <p class="dim">{{.}}</p>
        {{/noTargets}}
        {{#targets}}
        <article class="target">
        <p class="sign {{tone}}" title="{{status}}">{{sign}}</p>
        <div class="what"><strong>{{expression}}</strong> <span class="dim">{{subject}}</span></div>
        <div class="got"><span class="{{tone}}">{{measured}}</span> <span class="dim">{{interval}}</span></div>
        <div class="scale">{{{bar}}}</div>
        <div class="more dim"><span>{{status}}</span> <span>{{note}}</span> <span>{{bound}}</span> <span>{{count}}</span></div>
        {{#definition}}
        {{> definition}}
        {{/definition}}
        </article>
        {{/targets}}
        {{#targets}}{{#first()}}
        <p class="legend dim"><span><i class="t"></i>target</span><span><i class="b"></i>physical bound</span><span><i class="a"></i>bound off the scale</span><span><i class="i"></i>measured, interval of the mean or statistic</span></p>
        {{/first()}}{{/targets}}
        </section>
        """

    private static let definition = """
        <details class="definition">
        <summary>How {{name}} is defined</summary>
        <dl>
        <dt>definition</dt><dd>{{text}}</dd>
        <dt>unit</dt><dd>{{unit}}, {{direction}}</dd>
        <dt>physical bound</dt><dd>{{bound}}</dd>
        </dl>
        </details>
        """

    private static let figure = """
        <figure>
        {{{drawing}}}
        <figcaption>
        <span class="keys">
        {{#keys}}
        <span class="key"><i class="{{accent}}"></i>{{name}}</span>
        {{/keys}}
        </span>
        {{caption}}
        </figcaption>
        </figure>
        """

    private static let time = """
        <section id="time">
        <h2>Over time</h2>
        <div class="two">
        {{#series}}
        {{> figure}}
        {{/series}}
        {{#rounds}}
        <div>
        {{#figure}}
        {{> figure}}
        {{/figure}}
        <details>
        <summary>The rounds in numbers</summary>
        <div class="scroll">
        <table class="dense">
        <thead><tr><th class="n">round</th><th class="n">dirty</th><th class="n">on the wire</th><th class="n">ratio</th><th class="n">mean duration</th></tr></thead>
        <tbody>
        {{#rows}}
        <tr><td data-name="round" class="n">{{number}}</td><td data-name="dirty" class="n">{{dirty}}</td><td data-name="on the wire" class="n">{{wire}}</td><td data-name="ratio" class="n">{{ratio}}</td><td data-name="mean duration" class="n">{{duration}}</td></tr>
        {{/rows}}
        </tbody>
        </table>
        </div>
        </details>
        </div>
        {{/rounds}}
        </div>
        {{#timeNotes}}
        <p class="dim">{{.}}</p>
        {{/timeNotes}}
        </section>
        """

    private static let metrics = """
        <section id="metrics">
        <h2>Metrics</h2>
        {{#noMetrics}}
        <p class="dim">{{.}}</p>
        {{/noMetrics}}
        {{#metrics}}
        <article class="metric">
        <h3>{{title}}</h3>
        {{#definition}}
        {{> definition}}
        {{/definition}}
        <div class="scroll">
        <table class="stack">
        <thead><tr><th>variant</th><th class="n">mean</th><th class="n">interval</th><th class="n">smallest – largest</th><th class="n">tightest bound</th><th class="n">n</th></tr></thead>
        <tbody>
        {{#rows}}
        <tr><td data-name="variant"><span class="key"><i class="{{accent}}"></i>{{variant}}</span></td><td data-name="mean" class="n">{{mean}}</td><td data-name="interval" class="n">{{interval}}</td><td data-name="smallest – largest" class="n">{{range}}</td><td data-name="tightest bound" class="n">{{bound}}</td><td data-name="n" class="n">{{count}}</td></tr>
        {{/rows}}
        </tbody>
        </table>
        </div>
        <div class="two">
        {{#figures}}
        {{> figure}}
        {{/figures}}
        </div>
        {{#omissions}}
        <p class="dim">{{.}}</p>
        {{/omissions}}
        </article>
        {{/metrics}}
        </section>
        """

    private static let variants = """
        <section id="variants">
        <h2>Variants, seed by seed</h2>
        <p class="dim">{{comparisonNote}}</p>
        {{#comparisons}}
        {{#first()}}
        <div class="scroll">
        <table class="stack">
        <thead><tr><th>metric</th><th>pair</th><th class="n">difference</th><th class="n">ratio</th><th>ratio against 1</th><th class="n">Wilcoxon p</th><th class="n">variance cut</th><th class="n">pairs</th></tr></thead>
        <tbody>
        {{/first()}}
        <tr><td data-name="metric">{{metric}}</td><td data-name="pair">{{pair}}</td><td data-name="difference" class="n">{{difference}}<br/><small>{{differenceInterval}}</small></td><td data-name="ratio" class="n">{{ratio}}<br/><small>{{ratioInterval}}</small></td><td data-name="ratio against 1">{{{bar}}}</td><td data-name="Wilcoxon p" class="n">{{probability}}</td><td data-name="variance cut" class="n">{{reduction}}</td><td data-name="pairs" class="n">{{count}}</td></tr>
        {{#last()}}
        </tbody>
        </table>
        </div>
        {{/last()}}
        {{/comparisons}}
        </section>
        """

    private static let faults = """
        <section id="faults">
        <h2>Faults and invariants</h2>
        <p class="dim">{{faultNote}}</p>
        {{#faults}}
        {{#first()}}
        <div class="scroll">
        <table class="stack">
        <thead><tr><th>fault</th><th>on</th><th class="n">planned</th><th class="n">fired</th><th class="n">healed</th><th></th></tr></thead>
        <tbody>
        {{/first()}}
        <tr><td data-name="fault"><code>{{kind}}</code></td><td data-name="on">{{target}}</td><td data-name="planned" class="n">{{planned}}</td><td data-name="fired" class="n">{{fired}}</td><td data-name="healed" class="n">{{healed}}</td><td data-name="" class="maybe">{{warning}}</td></tr>
        {{#last()}}
        </tbody>
        </table>
        </div>
        {{/last()}}
        {{/faults}}
        {{#invariants}}
        {{#first()}}
        <div class="scroll">
        <table class="stack">
        <thead><tr><th>invariant</th><th>kind</th><th class="n">checked</th><th class="n">violated</th><th>first violation</th></tr></thead>
        <tbody>
        {{/first()}}
        <tr><td data-name="invariant">{{name}}</td><td data-name="kind">{{kind}}</td><td data-name="checked" class="n">{{checked}}</td><td data-name="violated" class="n {{tone}}">{{violations}}</td><td data-name="first violation">{{first}}</td></tr>
        {{#last()}}
        </tbody>
        </table>
        </div>
        {{/last()}}
        {{/invariants}}
        {{> crashPoints}}
        </section>
        """

    private static let origins = """
        <section id="origins">
        <h2>What ran</h2>
        <p>{{originSummary}}</p>
        {{#runNotes}}
        <p class="dim">{{.}}</p>
        {{/runNotes}}
        <div class="folds">
        <details class="facts">
        <summary>Code, machine, seeds and data</summary>
        <dl class="rows">
        {{#origins}}
        <dt>{{name}}</dt><dd>{{value}}</dd>
        {{/origins}}
        </dl>
        </details>
        {{#models}}
        {{#first()}}
        <details class="facts">
        <summary>Models and what they assume</summary>
        <dl class="rows">
        {{/first()}}
        <dt>{{name}}</dt><dd>{{value}}</dd>
        {{#last()}}
        </dl>
        </details>
        {{/last()}}
        {{/models}}
        {{#runs}}
        {{#first()}}
        <details>
        <summary>Every replication</summary>
        <div class="scroll">
        <table class="dense">
        <thead><tr><th>variant</th><th class="n">seed</th><th>outcome</th><th>fingerprint</th><th class="n">events</th><th class="n">simulated</th><th class="n">kernel</th><th class="n">work</th><th class="n">real</th><th class="n">peak memory</th></tr></thead>
        <tbody>
        {{/first()}}
        <tr><td data-name="variant">{{variant}}</td><td data-name="seed" class="n">{{seed}}</td><td data-name="outcome">{{outcome}}</td><td data-name="fingerprint"><code>{{fingerprint}}</code></td><td data-name="events" class="n">{{events}}</td><td data-name="simulated" class="n">{{simulated}}</td><td data-name="kernel" class="n">{{kernel}}</td><td data-name="work" class="n">{{work}}</td><td data-name="real" class="n">{{real}}</td><td data-name="peak memory" class="n">{{memory}}</td></tr>
        {{#last()}}
        </tbody>
        </table>
        </div>
        </details>
        {{/last()}}
        {{/runs}}
        {{#settings}}
        {{#first()}}
        <details>
        <summary>System settings of this machine</summary>
        <dl class="rows">
        {{/first()}}
        <dt><code>{{name}}</code></dt><dd>{{value}}</dd>
        {{#last()}}
        </dl>
        </details>
        {{/last()}}
        {{/settings}}
        </div>
        </section>
        """

    private static let queries = """
        <section id="queries">
        <h2>The SQL behind each figure</h2>
        {{#noQueries}}
        <p class="dim">{{.}}</p>
        {{/noQueries}}
        {{#queries}}
        <details>
        <summary>{{figure}}</summary>
        <pre><code>{{sql}}</code></pre>
        </details>
        {{/queries}}
        </section>
        """
}
