"""How the page looks: one style sheet, light and dark, from 400 pixels to any width; nothing is fetched."""

from __future__ import annotations

LIGHT = {
    "ink": "#1c2430", "soft": "#566273", "paper": "#ffffff", "card": "#f5f7fa", "line": "#d9dfe7", "grid": "#e6eaf0",
    "accent": "#1f5fa8", "good": "#147a55", "warn": "#a35a00", "stop": "#b3261e",
    "c0": "#1f66b0", "c1": "#c2560a", "c2": "#0c7f64", "c3": "#a8327b", "c4": "#6a54b8", "c5": "#8a6a00",
    "c6": "#4c7a1f", "c7": "#6b7280",
}  # fmt: skip
DARK = {
    "ink": "#e7ebf1", "soft": "#a3afbf", "paper": "#12161c", "card": "#1b212a", "line": "#333d4a", "grid": "#27303b",
    "accent": "#86b9f2", "good": "#5fcba0", "warn": "#f0ad55", "stop": "#ff8a80",
    "c0": "#7cb6f5", "c1": "#f39a56", "c2": "#57cdb0", "c3": "#ef8fc8", "c4": "#b4a3f2", "c5": "#dcc25a",
    "c6": "#a2d06e", "c7": "#b1bac6",
}  # fmt: skip

RULES = """
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;scroll-padding-top:1rem}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,
"Helvetica Neue",Arial,sans-serif;overflow-wrap:break-word}
main,header,footer{max-width:1180px;margin:0 auto;padding:0 24px}
header{padding-top:36px}
h1{font-size:1.9rem;line-height:1.2;margin:0 0 .3rem;letter-spacing:-.01em}
h2{font-size:1.35rem;margin:3.2rem 0 .4rem;padding-top:.9rem;border-top:1px solid var(--line)}
h3{font-size:1.08rem;margin:1.8rem 0 .5rem}
h4{font-size:.95rem;margin:1.7rem 0 .4rem}.chart h4,.duo>div>h4:first-child,h3+h4,h2+h4{margin-top:0}
p{margin:.4rem 0 .9rem;max-width:46rem}
.soft,figcaption,.lead{color:var(--soft)}
.lead{font-size:1.05rem;max-width:50rem}
a{color:var(--accent)}
nav{margin:1.1rem 0 0;display:flex;flex-wrap:wrap;gap:.3rem 1.1rem;font-size:.92rem}
code,pre{font:.87em/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace}
pre{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:12px 14px;overflow-x:auto;
margin:.5rem 0}
figure{margin:0;min-width:0}
figcaption{font-size:.86rem;line-height:1.45;margin-top:.35rem;max-width:46rem}
svg{display:block;width:100%;height:auto;overflow:visible}
img{max-width:100%;height:auto;display:block;border-radius:4px}
.pixels{image-rendering:pixelated}
.runs{display:grid;gap:18px;grid-template-columns:repeat(auto-fit,minmax(min(100%,430px),1fr));margin-top:1.4rem}
.card{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:18px 20px;min-width:0}
.run{display:flex;flex-wrap:wrap;gap:18px 26px;align-items:flex-start}
.run>div{flex:1 1 250px;min-width:0}
.run>figure{flex:0 1 270px}.run>figure.plane{flex:1 1 400px}.run>figure img{width:100%}
main>.card{margin-top:1.4rem}
.run h3{margin:0 0 .1rem;font-size:1.2rem}
.state{font-weight:600}.state.good{color:var(--good)}.state.warn{color:var(--warn)}.state.stop{color:var(--stop)}
dl.facts{display:grid;grid-template-columns:repeat(auto-fill,minmax(150px,1fr));gap:14px 18px;margin:14px 0 4px}
dl.facts div{min-width:0}
dl.facts dt{color:var(--soft);font-size:.82rem}
dl.facts dd{margin:0;overflow-wrap:normal}
dl.facts dd{font-size:1.22rem;font-weight:600;line-height:1.25;font-variant-numeric:tabular-nums}
dl.facts dd small{display:block;font-size:.78rem;font-weight:400;color:var(--soft)}
.charts{display:grid;gap:26px 30px;grid-template-columns:repeat(auto-fill,minmax(min(100%,420px),1fr));margin:1rem 0}
.duo{display:grid;gap:22px 40px;grid-template-columns:minmax(0,2fr) minmax(0,3fr);align-items:start;margin:.6rem 0}
.duo .charts{grid-template-columns:minmax(0,1fr);max-width:560px}.duo img{width:100%}
.tiles{display:grid;gap:16px;grid-template-columns:repeat(auto-fill,minmax(min(100%,230px),1fr));margin:.8rem 0}
.runs .tiles{grid-template-columns:repeat(auto-fill,minmax(min(100%,150px),1fr))}
.runs .duo{grid-template-columns:minmax(0,1fr)}
.wide .tiles,.tiles.wide{grid-template-columns:repeat(auto-fill,minmax(min(100%,500px),1fr))}
.film{display:grid;gap:6px;grid-template-columns:repeat(auto-fill,minmax(56px,1fr));margin:.2rem 0 .6rem}
.tiles img,.film img{width:100%}
.film figcaption,.tiles figcaption{margin-top:.2rem;font-size:.8rem}
.scroll{overflow-x:auto;margin:.6rem 0 1rem;border:1px solid var(--line);border-radius:8px}
table{border-collapse:collapse;width:100%;font-size:.92rem}
th,td{text-align:left;padding:7px 12px;vertical-align:top;border-bottom:1px solid var(--line)}
tr:last-child>td,tr:last-child>th{border-bottom:0}
thead th{background:var(--card);font-weight:600;white-space:nowrap}
tbody th{font-weight:500}
td.n,th.n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
td.prose{min-width:13rem}td.n small{color:var(--soft)}
.best{font-weight:700}
ul.notes{margin:.4rem 0 1rem;padding-left:1.2rem;max-width:48rem}
ul.notes li{margin:.2rem 0}
details{margin:.7rem 0}
summary{cursor:pointer;color:var(--accent)}
.legend{list-style:none;display:flex;flex-wrap:wrap;gap:.1rem 1.1rem;margin:0 0 .2rem;padding:0;font-size:.86rem;
color:var(--soft)}
.legend li{display:flex;align-items:center;gap:.45rem;min-width:0}
.legend svg{width:26px;height:12px;flex:none}
.grid{stroke:var(--grid);stroke-width:1}.axis{stroke:var(--line);stroke-width:1}
.tick{fill:var(--soft);font-size:13px}.name{fill:var(--ink);font-weight:600}
.line,.raw,.bar{fill:none;stroke:currentColor;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}
.raw{stroke-width:1;opacity:.4}.bar{stroke-width:1.6}
.dot{fill:currentColor}.area{fill:currentColor;fill-opacity:.28;stroke:currentColor;stroke-width:1.2}
.mark line{stroke:currentColor;stroke-width:1.2;stroke-dasharray:4 3}.mark path{fill:currentColor}
.mark.warning{color:var(--warn)}.mark.stop{color:var(--stop)}
.sign{white-space:nowrap}.sign.warning{color:var(--warn)}.sign.stop{color:var(--stop)}
footer{margin-top:3.5rem;padding-top:14px;padding-bottom:40px;color:var(--soft);font-size:.88rem}
@media(max-width:800px){.duo{grid-template-columns:minmax(0,1fr)}}
@media(max-width:520px){main,header,footer{padding-left:14px;padding-right:14px}h1{font-size:1.5rem}.card{padding:14px}
.tiles,.runs .tiles{grid-template-columns:repeat(2,minmax(0,1fr))}.tiles.wide{grid-template-columns:minmax(0,1fr)}
th,td{padding:6px 9px}.tick{font-size:15.5px}}
@media print{nav{display:none}.card,figure{break-inside:avoid}}
"""


def style_sheet() -> str:
    """Returns the rules of the page."""
    series = "".join(f".s{i}{{color:var(--c{i})}}" for i in range(8))
    light, dark = (";".join(f"--{name}:{colour}" for name, colour in theme.items()) for theme in (LIGHT, DARK))
    schemes = f":root{{color-scheme:light dark;{light}}}@media(prefers-color-scheme:dark){{:root{{{dark}}}}}"
    return f"{schemes}{RULES}{series}"
