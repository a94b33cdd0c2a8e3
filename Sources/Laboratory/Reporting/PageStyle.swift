/// The page's style: calm, one accent a variant, readable on a phone, in the dark and on paper.
enum PageStyle {
    static let sheet = [
        colours, text, verdict, targets, figures, boot, tables, small, smallBoot, paper, paperBoot,
    ].joined(separator: "\n")

    /// The accents differ in lightness as well as in hue, so that they stay apart in grey print.
    private static let colours = """
        :root{--ink:#1c2330;--dim:#5d687b;--line:#dfe4ec;--thread:#c3cad6;--paper:#fff;--wash:#f6f8fb;
        --go:#12805c;--no:#b42318;--maybe:#8f5f00;--fault:#d92d20;--warm:#667085;--mark:#1c2330;
        --v0:#8a95a8;--v1:#2f6fed;--v2:#0e8f7e;--v3:#8b4fd0;--v4:#d1700c;--v5:#c0317a}
        @media(prefers-color-scheme:dark){:root{--ink:#e6e9ef;--dim:#9aa5b8;--line:#2b3342;--thread:#4a5567;
        --paper:#12161f;--wash:#191f2b;--go:#3fbf92;--no:#f97066;--maybe:#e0b341;--fault:#f97066;
        --warm:#98a2b3;--mark:#e6e9ef;--v0:#7f8ba0;--v1:#78a4ff;--v2:#45c4b0;--v3:#b68cf0;
        --v4:#f0a04b;--v5:#ee7db4}}
        """

    private static let text = """
        *{box-sizing:border-box}
        html{font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;color:var(--ink);
        background:var(--paper);-webkit-text-size-adjust:100%}
        body{margin:0 auto;max-width:66rem;padding:2rem 1.25rem 4rem}
        h1{font-size:1.35rem;font-weight:650;margin:0;overflow-wrap:anywhere}
        h2{font-size:1.05rem;font-weight:650;margin:3rem 0 .75rem;padding-top:.25rem}
        h3{font-size:.95rem;font-weight:600;margin:1.75rem 0 .25rem;overflow-wrap:anywhere}
        p{margin:.35rem 0}.sub{color:var(--dim);margin:.15rem 0 0}
        small{font-size:.85em}.dim,small{color:var(--dim)}
        .go{color:var(--go)}.no{color:var(--no)}.maybe{color:var(--maybe)}
        a{color:inherit;text-underline-offset:.2em;text-decoration-color:var(--dim)}
        code,pre{font-family:ui-monospace,"SF Mono",Menlo,"DejaVu Sans Mono",monospace;font-size:.85em}
        code{background:var(--wash);padding:.1rem .35rem;border-radius:.25rem;overflow-wrap:anywhere}
        pre{background:var(--wash);border:1px solid var(--line);border-radius:.4rem;padding:.75rem;
        margin:.5rem 0;overflow-x:auto}pre code{background:none;padding:0;overflow-wrap:normal}
        nav{display:flex;flex-wrap:wrap;gap:.25rem 1.1rem;font-size:.9rem;margin:1rem 0 0}
        details{margin:.4rem 0}summary{cursor:pointer;color:var(--dim);font-size:.88rem}
        dl{margin:.4rem 0}dt{color:var(--dim);font-size:.88rem}dd{margin:0;overflow-wrap:anywhere}
        .rows{display:grid;grid-template-columns:minmax(7rem,13rem) 1fr;gap:.3rem 1.25rem}
        .rows dt{padding-top:.1rem}
        .folds{display:flex;flex-wrap:wrap;gap:0 1.4rem}.folds details[open]{flex:0 0 100%;min-width:0}
        .definition dl{display:grid;grid-template-columns:auto 1fr;gap:.1rem 1rem;font-size:.92rem;
        border-left:.2rem solid var(--line);padding-left:.8rem}
        """

    private static let verdict = """
        .verdict{display:grid;grid-template-columns:auto 1fr;gap:1.5rem;align-items:start;
        border:1px solid var(--line);border-left:.5rem solid var(--tone);border-radius:.5rem;
        padding:1.25rem 1.4rem;margin:1.25rem 0 .75rem;color:inherit}
        .verdict.go{--tone:var(--go)}.verdict.no{--tone:var(--no)}.verdict.maybe{--tone:var(--maybe)}
        .word{font-size:2.1rem;line-height:1.15;font-weight:700;letter-spacing:.01em;margin:0;
        color:var(--tone);white-space:nowrap}
        .lead{font-size:1.08rem;font-weight:600;margin-top:.2rem}
        .chips{display:flex;flex-wrap:wrap;gap:.4rem;list-style:none;padding:0;margin:.8rem 0 0;
        color:var(--dim);font-size:.85rem}
        .chips li{background:var(--wash);border:1px solid var(--line);border-radius:1rem;
        padding:.1rem .7rem}
        .replay{font-size:.9rem;color:var(--dim);margin:.7rem 0 0}
        .notice{border-left:.2rem solid var(--maybe);background:var(--wash);padding:.5rem .8rem;
        border-radius:0 .35rem .35rem 0;margin:.5rem 0}
        """

    private static let targets = """
        .target{display:grid;grid-template-columns:1.5rem minmax(0,5fr) minmax(0,4fr) 16.25rem;
        gap:.1rem .9rem;align-items:center;padding:.7rem 0;border-bottom:1px solid var(--line);
        font-variant-numeric:tabular-nums}
        .target .sign{font-weight:700;font-size:1.05rem;margin:0;text-align:center}
        .target .what strong{font-weight:600}.target .got>span:first-child{font-weight:650}
        .target .more,.target .definition{grid-column:2/-1;font-size:.85rem}
        .target .definition{margin:0}
        .more{display:flex;flex-wrap:wrap;gap:0 1.1rem}.more span:empty{display:none}
        .bar{display:block;width:100%;max-width:16.25rem;min-width:9rem;height:auto}
        .legend{display:flex;flex-wrap:wrap;gap:.2rem 1.2rem;font-size:.83rem;margin:.6rem 0 0}
        .legend i{display:inline-block;width:.9rem;height:.9rem;vertical-align:-.1rem;
        margin-right:.35rem}
        .legend .t{border-left:2px solid var(--ink);width:.4rem}
        .legend .b{border-left:2px dashed var(--dim);width:.4rem}
        .legend .a{width:.5rem;height:.5rem;border:solid var(--dim);border-width:2px 2px 0 0;
        transform:rotate(45deg);vertical-align:.05rem}
        .legend .i{height:.5rem;border-radius:.15rem;background:var(--dim);opacity:.55;
        vertical-align:.02rem}
        """

    private static let figures = """
        .two{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,25rem),1fr));
        gap:1.5rem 2rem;margin:.75rem 0}.two:empty{display:none}.two>div{min-width:0}
        figure{margin:0;min-width:0}
        figcaption{font-size:.86rem;color:var(--dim);margin-top:.2rem}
        .chart{display:block;width:100%;height:auto;overflow:visible}
        .chart text{font-size:12px;fill:var(--dim);stroke:none;font-variant-numeric:tabular-nums}
        .keys{display:flex;flex-wrap:wrap;gap:0 1rem;color:var(--ink)}
        .key{white-space:nowrap}
        .key i{display:inline-block;width:.7rem;height:.7rem;border-radius:.2rem;margin-right:.4rem;
        vertical-align:-.03rem}
        .v0{background:var(--v0)}.v1{background:var(--v1)}.v2{background:var(--v2)}
        .v3{background:var(--v3)}.v4{background:var(--v4)}.v5{background:var(--v5)}
        .metric+.metric{border-top:1px solid var(--line);margin-top:1.75rem}
        """

    private static let tables = """
        .scroll{overflow-x:auto;margin:.5rem 0}
        table{width:100%;border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:.93rem}
        th{font-weight:500;color:var(--dim);font-size:.85rem;text-align:left;vertical-align:bottom;
        white-space:nowrap}
        th,td{padding:.4rem .9rem .4rem 0;border-bottom:1px solid var(--line)}
        th:last-child,td:last-child{padding-right:0}
        td.n,th.n{text-align:right}td.n{white-space:nowrap}
        .dense{font-size:.85rem}.dense code{white-space:nowrap}.dense th{white-space:normal}.dense th,.dense td{padding-right:.6rem}
        """

    private static let small = """
        @media(max-width:46rem){body{padding:1.1rem .9rem 3rem}
        .verdict{grid-template-columns:1fr;gap:.5rem;padding:1rem}.word{font-size:1.8rem}
        .target{grid-template-columns:1.25rem minmax(0,1fr);gap:.15rem .6rem}
        .target .got,.target .scale{grid-column:2}.bar{max-width:20rem}
        .rows,.definition dl{grid-template-columns:1fr;gap:0}.rows dd{margin-bottom:.55rem}
        .stack thead{display:none}.stack,.stack tbody{display:block}
        .stack tr{display:block;border-bottom:1px solid var(--line);padding:.4rem 0}
        .stack td,.stack td.n{display:grid;grid-template-columns:8rem minmax(0,1fr);text-align:left;
        border:0;padding:.08rem 0;white-space:normal;overflow-wrap:anywhere}
        .stack td::before{content:attr(data-name);color:var(--dim);font-size:.85rem}
        .stack td:empty{display:none}.stack td br{display:none}.stack td small{grid-column:2}
        .stack td code{justify-self:start}
        h2{margin-top:2.25rem}.chart text{font-size:15px}}
        """

    /// On paper everything is unfolded but the long lists, and nothing is cut in two.
    private static let paper = """
        @page{margin:14mm}
        @media print{:root{--ink:#000;--dim:#444;--line:#c8ccd4;--thread:#b4bac5;--paper:#fff;--wash:#fff;--go:#0b6b4b;
        --no:#a01c12;--maybe:#7a5200;--mark:#000}
        html{font-size:10.5pt;-webkit-print-color-adjust:exact;print-color-adjust:exact}
        body{max-width:none;padding:0}nav{display:none}h2{margin-top:1.6rem;break-after:avoid}
        h3,summary{break-after:avoid}figure,.target,.verdict,.metric,tr{break-inside:avoid}
        .target .definition{display:none}
        .folds{display:block}.two{grid-template-columns:1fr 1fr}.scroll{overflow:visible}table{font-size:.85em}
        pre{white-space:pre-wrap;overflow-wrap:anywhere}
        .definition::details-content,.facts::details-content,#queries details::details-content{content-visibility:visible;block-size:auto;display:block}}
        """
}
