/** A table that sorts by its heads and leaves as CSV, SVG and PNG. */
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { tableSvg } from "./download.ts";
import { Exports } from "./exports.tsx";

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
  const [order, setOrder] = useState<Order>();
  const [all, setAll] = useState(false);
  const sorted = order === undefined ? rows : [...rows].sort(by(order));
  const shown = all ? sorted : sorted.slice(0, SHOWN);
  return (
    <section class="panel">
      <header>
        <h2>{title}</h2>
        {note !== undefined && <span class="note">{note}</span>}
        <Exports
          title={title}
          head={head}
          rows={() => sorted.map((row) => row.map(fieldOf))}
          drawing={() =>
            tableSvg(
              title,
              head,
              sorted.map((row) => row.map(drawnOf)),
            )
          }
        />
      </header>
      <div class="scroller">
        <table>
          <thead>
            <Heads
              head={head}
              order={order}
              choose={setOrder}
              isNumber={(column) => isFigure(rows[0]?.[column])}
            />
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

interface Order {
  readonly column: number;
  readonly up: boolean;
}

function Heads(parts: {
  readonly head: readonly string[];
  readonly order: Order | undefined;
  readonly choose: (order: Order) => void;
  readonly isNumber: (column: number) => boolean;
}) {
  const { head, order, choose, isNumber } = parts;
  const sorted = (column: number) =>
    order?.column !== column ? "none" : order.up ? "ascending" : "descending";
  return (
    <tr>
      {head.map((name, column) => (
        <th key={name} class={isNumber(column) ? "number" : ""} aria-sort={sorted(column)}>
          <button
            type="button"
            onClick={() => choose({ column, up: order?.column === column && !order.up })}
          >
            {name}
          </button>
        </th>
      ))}
    </tr>
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

const fieldOf = (cell: Cell): string | number => (isFigure(cell) ? cell.value : textOf(cell));
const drawnOf = (cell: Cell) => ({ text: textOf(cell), right: isFigure(cell) });
const textOf = (cell: Cell): string => (typeof cell === "string" ? cell : cell.text);

function by({ column, up }: Order) {
  const value = (row: readonly Cell[]): number | string => {
    const cell = row[column] ?? "";
    if (!isFigure(cell)) return textOf(cell);
    return Number.isNaN(cell.value) ? Number.NEGATIVE_INFINITY : cell.value;
  };
  return (a: readonly Cell[], b: readonly Cell[]): number => {
    const [left, right] = up ? [value(a), value(b)] : [value(b), value(a)];
    return left < right ? -1 : left > right ? 1 : 0;
  };
}
