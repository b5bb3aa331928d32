/** A table that sorts by its heads and leaves as CSV, SVG and PNG. */
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { saveCsv, savePng, saveSvg, tableSvg } from "./download.ts";

/** A figure: how it is written, what it sorts by, and its share of a whole as a bar. */
export interface FigureCell {
  readonly text: string;
  readonly value: number;
  readonly share?: number;
  /** Better or worse than what it is held against. */
  readonly mood?: "good" | "bad" | undefined;
}
/** A text that does something. */
export interface ActCell {
  readonly text: string;
  readonly act: () => void;
}
export type Cell = string | FigureCell | ActCell;

/** Rows on the page at first: the rest is a button away, and in every file. */
const SHOWN = 100;

export function Table(parts: {
  readonly title: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly Cell[])[];
  readonly note?: ComponentChildren;
}) {
  const { title, head, rows, note } = parts;
  const [order, setOrder] = useState<{ column: number; up: boolean }>();
  const [all, setAll] = useState(false);
  const sorted = order === undefined ? rows : [...rows].sort(by(order));
  const shown = all ? sorted : sorted.slice(0, SHOWN);
  const isNumber = (column: number): boolean => isFigure(rows[0]?.[column]);
  return (
    <section class="panel">
      <header>
        <h2>{title}</h2>
        {note !== undefined && <span class="note">{note}</span>}
        <Exports title={title} head={head} rows={sorted} />
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
            {shown.map((row, index) => (
              <tr key={index}>
                {row.map((cell, column) => (
                  <Shown key={head[column]} cell={cell} />
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {shown.length < sorted.length && (
        <button type="button" onClick={() => setAll(true)}>
          All {sorted.length.toLocaleString("en-US")} rows
        </button>
      )}
    </section>
  );
}

const isFigure = (cell: Cell | undefined): cell is FigureCell =>
  typeof cell === "object" && "value" in cell;

function Shown({ cell }: { readonly cell: Cell }) {
  if (typeof cell === "string") return <td>{cell}</td>;
  if (!isFigure(cell)) {
    return (
      <td>
        <button type="button" class="link" onClick={cell.act}>
          {cell.text}
        </button>
      </td>
    );
  }
  return (
    <td class={`number ${cell.mood ?? ""}`}>
      <span class="figure">
        {cell.share !== undefined && <meter value={Math.min(1, cell.share)} aria-hidden="true" />}
        {cell.text}
      </span>
    </td>
  );
}

function Exports(parts: {
  readonly title: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly Cell[])[];
}) {
  const { title, head, rows } = parts;
  const drawn = () =>
    tableSvg(
      title,
      head,
      rows.map((row) => row.map((cell) => ({ text: textOf(cell), right: isFigure(cell) }))),
    );
  const values = () =>
    rows.map((row) => row.map((cell) => (isFigure(cell) ? cell.value : textOf(cell))));
  return (
    <div class="actions">
      <button type="button" onClick={() => saveCsv(title, head, values())}>
        CSV
      </button>
      <button type="button" onClick={() => saveSvg(title, drawn().svg)}>
        SVG
      </button>
      <button
        type="button"
        onClick={() => {
          const { svg, size } = drawn();
          void savePng(title, svg, size);
        }}
      >
        PNG
      </button>
    </div>
  );
}

const textOf = (cell: Cell): string => (typeof cell === "string" ? cell : cell.text);

function by({ column, up }: { column: number; up: boolean }) {
  const value = (row: readonly Cell[]): number | string => {
    const cell = row[column] ?? "";
    return isFigure(cell) ? cell.value : textOf(cell);
  };
  return (a: readonly Cell[], b: readonly Cell[]): number => {
    const [left, right] = up ? [value(a), value(b)] : [value(b), value(a)];
    return left < right ? -1 : left > right ? 1 : 0;
  };
}
