extension PageTemplates {
    static let boot = """
        {{#boot}}
        <section id="boot">
        <h2>Boot, component by component</h2>
        {{#notes}}
        <p class="dim">{{.}}</p>
        {{/notes}}
        {{#strips}}
        <div class="gantt {{style}}">
        {{#panels}}
        <div class="panel">
        <div class="names">
        {{#names}}
        <span class="{{style}}" title="{{text}}">{{text}}</span>
        {{/names}}
        </div>
        <div class="chartside">
        <p class="head"><span class="key"><i class="{{accent}}"></i>{{title}}</span> <small>{{choice}}</small></p>
        {{{drawing}}}
        </div>
        </div>
        {{/panels}}
        </div>
        {{/strips}}
        <p class="legend bootlegend dim">
        {{#legend}}
        <span><i class="{{style}}"></i>{{text}}</span>
        {{/legend}}
        </p>
        <div class="scroll">
        <table class="stack boots">
        <thead><tr><th>variant</th><th class="n">boot time</th><th class="n">sum of component times</th><th class="n">longest chain of dependencies</th><th class="n">speed-up</th><th class="n">bound of the speed-up</th></tr></thead>
        <tbody>
        {{#rows}}
        <tr><td data-name="variant"><span class="key"><i class="{{accent}}"></i>{{variant}}</span> <small>{{choice}}</small></td><td data-name="boot time" class="n">{{bootTime}}</td><td data-name="sum of times" class="n">{{sum}}</td><td data-name="longest chain" class="n">{{critical}}</td><td data-name="speed-up" class="n">{{speedup}}</td><td data-name="bound" class="n">{{bound}}</td></tr>
        {{/rows}}
        </tbody>
        </table>
        </div>
        <p class="dim">Speed-up is the sum of component times over the boot time. Of a single node the sum is the experiment's: the components that READY waits for, by the times they take alone; of a node among others it is added up from the picture. No order of the same components can be faster than their longest chain of dependencies, so the sum over that chain bounds it.</p>
        {{#paths}}
        {{#first()}}
        <h3>Critical paths</h3>
        <dl class="rows">
        {{/first()}}
        <dt>{{name}}</dt><dd>{{value}}</dd>
        {{#last()}}
        </dl>
        {{/last()}}
        {{/paths}}
        {{#tables}}
        <details>
        <summary>{{title}}</summary>
        <div class="scroll">
        <table class="dense">
        <thead><tr><th>phase</th><th>component</th><th class="n">start</th><th class="n">end</th><th class="n">time</th><th class="n">attempts</th><th>outcome</th><th></th></tr></thead>
        <tbody>
        {{#rows}}
        <tr><td>{{phase}}</td><td>{{name}}</td><td class="n">{{start}}</td><td class="n">{{end}}</td><td class="n">{{duration}}</td><td class="n">{{attempts}}</td><td>{{outcome}}</td><td>{{critical}}</td></tr>
        {{/rows}}
        </tbody>
        </table>
        </div>
        </details>
        {{/tables}}
        </section>
        {{/boot}}
        """

    /// Points that were lost come first and are never folded away.
    static let crashPoints = """
        {{#crashPoints}}
        <h3 id="crash-points">Crash points</h3>
        <p class="{{tone}}">{{summary}}</p>
        <details open="open">
        <summary>Every crash point</summary>
        <div class="scroll">
        <table class="dense points">
        <thead><tr><th></th><th>crash point</th><th class="n">tried</th><th class="n">survived</th></tr></thead>
        <tbody>
        {{#rows}}
        <tr><td class="{{tone}}">{{sign}}</td><td><code>{{name}}</code></td><td class="n">{{tried}}</td><td class="n {{tone}}">{{survived}}</td></tr>
        {{/rows}}
        </tbody>
        </table>
        </div>
        </details>
        {{/crashPoints}}
        """
}
