extension PageStyle {
    /// Pictures of boots. Names and drawings have rows of one height and stand on one base line, so
    /// that they can be read across; on narrow screens each drawing has its own names beside it.
    static let boot = """
        .gantt{display:grid;align-items:end;gap:0 .9rem;margin:1rem 0 .5rem}
        .rows18{--row:18px}.rows15{--row:15px}.rows13{--row:13px}
        .panel{display:contents}.chartside{min-width:0}
        .panel+.panel .names{display:none}
        .abreast1{grid-template-columns:11.5rem minmax(0,1fr)}
        .abreast2{grid-template-columns:11.5rem repeat(2,minmax(0,1fr))}
        .abreast3{grid-template-columns:11.5rem repeat(3,minmax(0,1fr))}
        .names{padding-bottom:20px;min-width:0}
        .names span{display:block;height:var(--row);line-height:var(--row);font-size:12px;
        white-space:nowrap;overflow:hidden;text-overflow:ellipsis}
        .rows13 .names span{font-size:11px}
        .names .phase{color:var(--dim);font-size:11px;letter-spacing:.04em}
        .names .part{padding-left:.6rem}
        .head{margin:0 0 .3rem;line-height:1.3;font-size:.9rem}
        .head small,.boots small{display:block}
        .plot{display:block;width:100%;overflow:visible}
        .plot text{font-size:11px;fill:var(--dim);stroke:none;font-variant-numeric:tabular-nums}
        .plot .ready{font-weight:600;fill:var(--go)}.plot .lost{fill:var(--no)}
        .boots th{white-space:normal}.boots th:first-child{min-width:11rem}
        .bootlegend i{height:.65rem;width:1.3rem;border-radius:.15rem;vertical-align:-.02rem}
        .bootlegend .critical{background:linear-gradient(var(--ink),var(--ink)) center/100% 2px no-repeat var(--v1)}
        .bootlegend .beside{background:var(--v1);opacity:.4}
        .bootlegend .fallback{border:1px dashed var(--maybe);background:color-mix(in srgb,var(--maybe) 30%,transparent)}
        .bootlegend .failed{border:1px solid var(--no);background:color-mix(in srgb,var(--no) 15%,transparent)}
        .bootlegend .cancelled{border:1px solid var(--dim)}
        .bootlegend .retry{height:0;border-top:2px dashed var(--dim);vertical-align:.25rem}
        .bootlegend .queued{height:0;border-top:2px dotted var(--dim);vertical-align:.25rem}
        .bootlegend .skipped{width:.55rem;height:.55rem;border:1px solid var(--dim);border-radius:50%}
        .bootlegend .ready{width:0;height:.9rem;border-left:2px solid var(--go)}
        """

    static let smallBoot = """
        @media screen and (max-width:46rem){.gantt{grid-template-columns:minmax(0,1fr)}
        .panel{display:grid;grid-template-columns:7.2rem minmax(0,1fr);align-items:end;gap:0 .5rem;margin-bottom:1rem}
        .panel+.panel .names{display:block}.names .part{padding-left:.3rem}.names span{font-size:11px}}
        """

    static let paperBoot = """
        @media print{.gantt{break-inside:avoid;gap:0 .5rem}.names span{font-size:10px}
        .abreast1{grid-template-columns:8.5rem minmax(0,1fr)}
        .abreast2{grid-template-columns:8.5rem repeat(2,minmax(0,1fr))}
        .abreast3{grid-template-columns:8.5rem repeat(3,minmax(0,1fr))}
        .plot text{font-size:9px}.head{font-size:.8rem}}
        """
}
