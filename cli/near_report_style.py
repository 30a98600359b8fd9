"""The look of the report of near-duplicates: light and dark by the reader's setting."""

STYLE = """
:root{color-scheme:light dark;
--page:#f4f5f7;--card:#fff;--ink:#1b1f24;--soft:#667080;--line:#dfe3e8;
--keep:#1f8a4c;--keep-soft:#e3f5ea;--meter:#3b73d9;--tile:repeating-conic-gradient(#eef0f3 0 25%,
#f8f9fa 0 50%) 0 0/18px 18px}
@media (prefers-color-scheme:dark){:root{--page:#14171b;--card:#1d2127;--ink:#e8eaee;--soft:#98a2b0;
--line:#30363e;--keep:#4cc47d;--keep-soft:#16341f;--meter:#6b9bf2;
--tile:repeating-conic-gradient(#23282f 0 25%,#1f242a 0 50%) 0 0/18px 18px}}
*{box-sizing:border-box}
html{scroll-behavior:smooth}
body{margin:0;background:var(--page);color:var(--ink);font:15px/1.45 system-ui,sans-serif}
header,main{max-width:82rem;margin:0 auto;padding:0 1.25rem}
header{padding-top:2rem}
h1{font-size:1.7rem;margin:0;letter-spacing:-.01em}
.where{margin:.15rem 0 1.1rem;color:var(--soft);overflow-wrap:anywhere}
.totals{display:flex;flex-wrap:wrap;gap:.75rem}
.totals div{background:var(--card);border:1px solid var(--line);border-radius:12px;
padding:.6rem 1.1rem;display:flex;flex-direction:column}
.totals b{font-size:1.35rem}
.totals span,.note,small{color:var(--soft)}
nav{display:flex;flex-wrap:wrap;gap:.5rem;margin:1rem 0 0}
nav a{padding:.25rem .8rem;border-radius:99px;border:1px solid var(--line);color:inherit;
text-decoration:none;background:var(--card)}
.note{margin:.9rem 0 0;font-size:13px}
h2{font-size:1.15rem;margin:2rem 0 .7rem}
small{font-weight:400;font-size:.9rem;margin-left:.4rem}
.card{display:flex;flex-wrap:wrap;gap:1rem;background:var(--card);border:1px solid var(--line);
border-radius:14px;padding:1rem;margin:0 0 1rem;content-visibility:auto;
contain-intrinsic-size:auto 21rem}
figure{margin:0;width:14rem}
img,.none{display:block;width:14rem;height:11rem;object-fit:contain;background:var(--tile);
border-radius:9px}
.none{display:grid;place-items:center;color:var(--soft);font-weight:600;font-size:1.3rem;
text-transform:uppercase}
.keep img,.keep .none{outline:3px solid var(--keep);outline-offset:2px}
figcaption{display:flex;flex-direction:column;gap:.2rem;margin-top:.55rem;font-size:13px;
overflow-wrap:anywhere}
.badge{align-self:flex-start;font-size:12px;font-weight:600;color:var(--soft)}
.badge.keep{background:var(--keep-soft);color:var(--keep);border-radius:99px;padding:.08rem .6rem}
.meter{height:5px;border-radius:9px;background:var(--line);overflow:hidden}
.meter i{display:block;height:100%;background:var(--meter)}
.name{font-weight:600}
.folder,.facts,.more{color:var(--soft)}
main{padding-bottom:4rem}
@media print{.card{break-inside:avoid;content-visibility:visible}}
"""
"""No keyboard, script or network is needed; it prints."""
