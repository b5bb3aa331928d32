/** All points with the columns of the report, bands where they have any. */
import { columnsOf, shownCell } from "../../../../scripts/report/columns.ts";
import type { Point } from "../../../../scripts/report/point.ts";
import { type Cell, Table } from "../table.tsx";

export function PointTable({ all }: { readonly all: readonly Point[] }) {
  const columns = columnsOf("html");
  const notices = new Map(all.flatMap((point) => point.notices).map((its) => [its.code, its.text]));
  return (
    <>
      <Table
        title="Points"
        note={`${all.length} of them; in brackets: 80 % band`}
        head={columns.map(({ title, key }) => title ?? key)}
        rows={all.map((point) =>
          columns.map((column): Cell => {
            const { text, band } = shownCell(column, point, (value, places) =>
              value.toFixed(places),
            );
            const value = column.of(point);
            if (typeof value !== "number") return text;
            return { text: band === undefined ? text : `${text} (${band})`, value };
          }),
        )}
      />
      {notices.size > 0 && (
        <section class="panel" aria-labelledby="notices-title">
          <header>
            <h2 id="notices-title">What to mind</h2>
          </header>
          <ul class="notices">
            {[...notices].map(([code, text]) => (
              <li key={code}>
                <b>{code}</b>: {text}
              </li>
            ))}
          </ul>
        </section>
      )}
    </>
  );
}
