/** Published measurements: the CSV's columns, read as they are (RFC 4180 quoting). */
import { readFileSync } from "node:fs";

export interface Row {
  readonly id: string;
  readonly source: string;
  readonly date: string;
  readonly model: string;
  readonly paramsB: string;
  readonly instance: string;
  readonly chips: string;
  readonly tp: string;
  readonly lnc: string;
  readonly dtype: string;
  /** Live requests, in words. */
  readonly concurrency: string;
  /** Compiled batch, in words. */
  readonly engineBatch: string;
  readonly inputLength: string;
  readonly outputLength: string;
  readonly speculation: string;
  readonly kernelNotes: string;
  readonly metric: string;
  readonly value: number;
  readonly unit: string;
  readonly percentile: string;
  readonly quality: string;
  readonly split: string;
  readonly notes: string;
}

export function readRows(file: string): readonly Row[] {
  const [header, ...lines] = parseCsv(readFileSync(file, "utf8"));
  if (header === undefined) throw new Error(`${file} is empty.`);
  const at = new Map(header.map((name, index) => [name.trim(), index]));
  return lines
    .filter((cells) => cells.length > 1)
    .map((cells): Row => {
      const cell = (name: string): string => (cells[at.get(name) ?? -1] ?? "").trim();
      return {
        id: cell("id"),
        source: cell("source"),
        date: cell("date"),
        model: cell("model"),
        paramsB: cell("params_b"),
        instance: cell("instance"),
        chips: cell("chips"),
        tp: cell("tp"),
        lnc: cell("lnc"),
        dtype: cell("dtype_quant"),
        concurrency: cell("batch_or_concurrency"),
        engineBatch: cell("engine_batch"),
        inputLength: cell("input_len"),
        outputLength: cell("output_len"),
        speculation: cell("spec_decode"),
        kernelNotes: cell("kernel_notes"),
        metric: cell("metric"),
        value: measured(cell("value")),
        unit: cell("unit"),
        percentile: cell("percentile"),
        quality: cell("quality"),
        split: cell("split"),
        notes: cell("notes"),
      };
    });
}

/** A number, or the middle of a range `5.20-5.70`; NaN when it is neither. */
function measured(text: string): number {
  const range = /^([\d.]+)\s*-\s*([\d.]+)$/.exec(text);
  if (range !== null) return (Number(range[1]) + Number(range[2])) / 2;
  return text === "" ? Number.NaN : Number(text.replace(/,/g, ""));
}

/** Milliseconds of a time in the row's unit. */
export function milliseconds(value: number, unit: string): number {
  if (/^s(?:ec(?:onds)?)?$/i.test(unit)) return value * 1000;
  if (unit === "us" || unit === "µs") return value / 1000;
  if (unit === "ns") return value / 1e6;
  return value;
}

function parseCsv(text: string): string[][] {
  const lines: string[][] = [];
  let cells: string[] = [];
  let cell = "";
  let quoted = false;
  for (let index = 0; index < text.length; index++) {
    const char = text[index];
    if (quoted) {
      if (char !== '"') cell += char;
      else if (text[index + 1] === '"') {
        cell += '"';
        index++;
      } else quoted = false;
    } else if (char === '"') quoted = true;
    else if (char === ",") {
      cells.push(cell);
      cell = "";
    } else if (char === "\n") {
      cells.push(cell.replace(/\r$/, ""));
      lines.push(cells);
      cells = [];
      cell = "";
    } else cell += char;
  }
  if (cell !== "" || cells.length > 0) lines.push([...cells, cell]);
  return lines;
}
