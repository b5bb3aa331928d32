/** A comparison as one HTML file: no script, no network, its own policy. */
import { escapeXml } from "../../report/figure.ts";
import type { Comparison, ComparisonTable } from "./tables.ts";

const STYLE = `:root{color-scheme:light dark;--ink:#16191d;--soft:#4a5360;--line:#e3e3de;--paper:#f7f7f5;--panel:#fff}
@media(prefers-color-scheme:dark){:root{--ink:#eceff4;--soft:#a9b3c1;--line:#232933;--paper:#0b0d11;--panel:#11141a}}
body{margin:0;background:var(--paper);color:var(--ink);font:14px/1.5 system-ui,"DejaVu Sans",sans-serif}
main{max-width:1040px;margin:0 auto;padding:28px 20px 60px}
h1{font-size:22px;letter-spacing:-.02em;margin:0 0 6px;overflow-wrap:anywhere}h2{font-size:14px;margin:0 0 8px}
p{color:var(--soft);margin:4px 0}section{background:var(--panel);border:1px solid var(--line);border-radius:10px;padding:14px 16px;margin-top:14px;overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:13px;font-variant-numeric:tabular-nums}
th,td{text-align:right;padding:4px 8px;border-bottom:1px solid var(--line);white-space:nowrap}
th{color:var(--soft);font-weight:500}th:first-child,td:first-child{text-align:left}tr:last-child td{border-bottom:0}`;

export function comparisonHtml(names: readonly [string, string], its: Comparison): string {
  const [a, b] = names;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escapeXml(`${a} against ${b}`)}</title><style>${STYLE}</style></head><body><main>
<h1>A: ${escapeXml(a)}<br>B: ${escapeXml(b)}</h1>
${its.says.map((text) => `<p>${escapeXml(text)}</p>`).join("\n")}
${its.tables.map(tableHtml).join("\n")}
</main></body></html>
`;
}

function tableHtml({ title, head, rows }: ComparisonTable): string {
  const cells = (tag: string, list: readonly string[]): string =>
    list.map((text) => `<${tag}>${escapeXml(text)}</${tag}>`).join("");
  return `<section><h2>${escapeXml(title)}</h2><table><thead><tr>${cells("th", head)}</tr></thead><tbody>${rows
    .map((row) => `<tr>${cells("td", row)}</tr>`)
    .join("")}</tbody></table></section>`;
}
