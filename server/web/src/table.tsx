/** A table that sorts by its heads and leaves as CSV. */
import { useState } from "preact/hooks";
import { saveAs } from "./download.ts";

/** A figure: how it is written, what it sorts by, and its share of a whole as a bar. */
export interface FigureCell {
  readonly text: string;
  readonly value: number;
  readonly share?: number;
}
export type Cell = string | FigureCell;

export function Table(parts: {
  readonly title: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly Cell[])[];
}) {
  const { title, head, rows } = parts;
  const [order, setOrder] = useState<{ column: number; up: boolean }>();
  const sorted = order === undefined ? rows : [...rows].sort(by(order));
  const isNumber = (column: number): boolean => typeof rows[0]?.[column] === "object";
  return (
    <section class="panel">
      <header>
        <h2>{title}</h2>
        <button
          type="button"
          onClick={() =>
            saveAs(`${title}.csv`, new Blob([csvOf(head, sorted)], { type: "text/csv" }))
          }
        >
          CSV
        </button>
      </header>
      <div class="scroller">
        <table>
          <thead>
            <tr>
              {head.map((name, column) => (
                <th
                  key={name}
                  class={isNumber(column) ? "number" : ""}
                  aria-sort={
                    order?.column === column ? (order.up ? "ascending" : "descending") : "none"
                  }
                >
                  <button
                    type="button"
                    onClick={() =>
                      setOrder({ column, up: order?.column === column ? !order.up : false })
                    }
                  >
                    {name}
                  </button>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {sorted.map((row, index) => (
              <tr key={index}>
                {row.map((cell, column) =>
                  typeof cell === "string" ? (
                    <td key={head[column]}>{cell}</td>
                  ) : (
                    <td key={head[column]} class="number">
                      <span class="figure">
                        {cell.share !== undefined && (
                          <meter value={Math.min(1, cell.share)} aria-hidden="true" />
                        )}
                        {cell.text}
                      </span>
                    </td>
                  ),
                )}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function by({ column, up }: { column: number; up: boolean }) {
  const value = (row: readonly Cell[]): number | string => {
    const cell = row[column] ?? "";
    return typeof cell === "string" ? cell : cell.value;
  };
  return (a: readonly Cell[], b: readonly Cell[]): number => {
    const [left, right] = up ? [value(a), value(b)] : [value(b), value(a)];
    return left < right ? -1 : left > right ? 1 : 0;
  };
}

function csvOf(head: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const field = (cell: Cell): string => {
    const text = typeof cell === "string" ? cell : String(cell.value);
    return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return `${[head, ...rows].map((row) => row.map(field).join(",")).join("\n")}\n`;
}
