/** What is measured, as data: a line a table and set-up. */

export type CoverageKind = "dense decode" | "MoE decode" | "prefill" | "serving";

/** What a table of rows says that it measured. */
export interface Covered {
  readonly table: string;
  readonly kind: CoverageKind;
  readonly stack: string;
  readonly core: string;
  readonly path: string;
  readonly format: string;
  readonly ranks: number;
  readonly rows: number;
  readonly context: number;
}

/** A line a set-up, fields parted by bars, the table last. */
export function readCovered(text: string): readonly Covered[] {
  const lines = text.trim().split("\n");
  return Object.freeze(
    lines.map((line): Covered => {
      const [kind = "", stack = "", core = "", path = "", format = "", ...rest] = line.split(" | ");
      const [ranks, rows, context, ...table] = rest;
      return {
        kind: kind as CoverageKind,
        stack,
        core,
        path,
        format,
        ranks: Number(ranks),
        rows: Number(rows),
        context: Number(context),
        table: table.join(" | "),
      };
    }),
  );
}
