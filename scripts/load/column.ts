/**
 * A column of results: what it is called in files and in tables, its unit, which
 * way is better and how it is computed. Terminal, HTML, CSV and JSON read columns.
 */

export type Cell = string | number | boolean | undefined;

export interface Column<Row> {
  /** In CSV and JSON. */
  readonly key: string;
  /** In tables that people read; absent: for files only. */
  readonly title?: string;
  readonly unit?: string;
  /** Which way is better; absent: neither. */
  readonly better?: "higher" | "lower";
  /** How it is computed, where names differ between tools. */
  readonly formula?: string;
  /** Digits after the point in tables; absent: as it is. */
  readonly digits?: number;
  /** Undefined, or not finite: not known. */
  readonly of: (row: Row) => Cell;
}

/** What a figure means, whoever shows it. */
export type Meaning = Pick<Column<never>, "unit" | "better" | "formula">;

/** As people read it: – where it is not known. `text` writes a number with so many digits. */
export function cellText<Row>(
  column: Column<Row>,
  row: Row,
  text: (value: number, digits: number) => string = fixed,
): string {
  const value = column.of(row);
  if (value === undefined || (typeof value === "number" && !Number.isFinite(value))) return "–";
  if (typeof value !== "number") return String(value);
  return column.digits === undefined ? String(value) : text(value, column.digits);
}

export function fixed(value: number, digits: number): string {
  return value.toFixed(digits);
}

/** A line of titles, and a line of cells for each row; columns without a title are left out. */
export function tableLines<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
): readonly (readonly string[])[] {
  const shown = columns.filter(({ title }) => title !== undefined);
  return [
    shown.map(({ title }) => title ?? ""),
    ...rows.map((row) => shown.map((column) => cellText(column, row))),
  ];
}

/** Rows as plain data, with what the columns mean; what is not known is null. */
export function rowsJson<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
): Readonly<Record<string, unknown>> {
  return { columns: columnsJson(columns), rows: rows.map((row) => rowJson(columns, row)) };
}

/** What the columns mean, as plain data. */
export function columnsJson<Row>(
  columns: readonly Column<Row>[],
): readonly Readonly<Record<string, string>>[] {
  return columns.map(({ key, title, unit, better, formula }) => ({
    key,
    ...(title === undefined ? {} : { title }),
    ...(unit === undefined ? {} : { unit }),
    ...(better === undefined ? {} : { better }),
    ...(formula === undefined ? {} : { formula }),
  }));
}

export function rowJson<Row>(
  columns: readonly Column<Row>[],
  row: Row,
): Readonly<Record<string, unknown>> {
  return Object.fromEntries(columns.map(({ key, of }) => [key, known(of(row))]));
}

function known(value: Cell): Exclude<Cell, undefined> | null {
  if (value === undefined) return null;
  return typeof value !== "number" || Number.isFinite(value) ? value : null;
}

export function rowsCsv<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string {
  const lines = [
    columns.map(({ key }) => key),
    ...rows.map((row) => columns.map(({ of }) => csvCell(of(row)))),
  ];
  return `${lines.map((line) => line.join(",")).join("\n")}\n`;
}

/** Rounds what is measured, keeps what is text; quotes where a comma asks for it. */
function csvCell(value: Cell): string {
  const text =
    typeof value === "number"
      ? Number.isFinite(value)
        ? String(Number(value.toPrecision(8)))
        : ""
      : String(value ?? "");
  return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
