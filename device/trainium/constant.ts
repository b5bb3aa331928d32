/** A number of the cost model: what it is, whose, where it is from, and what was believed before any row was seen. */

/** A belief before any row: a value and the standard deviation of its logarithm (0.7: twice or half). */
export interface Prior {
  readonly value: number;
  readonly spread: number;
}

export interface Constant {
  readonly key: string;
  readonly value: number;
  readonly unit: string;
  readonly scope: "chip" | "kernel" | "collective" | "runtime" | "stack";
  /** Page, line of public source, or what the prior rests on. */
  readonly source: string;
  /** Absent: printed by its source. */
  readonly prior?: Prior;
  /** Do rows move it? If not, it keeps its prior, whose spread is part of the bands. */
  readonly fitted: boolean;
}

/** A constant that rows of at least three tables move, from its prior. */
export const fitted = (
  key: string,
  value: number,
  prior: readonly [value: number, spread: number],
  unit: string,
  scope: Constant["scope"],
  source: string,
): Constant => ({
  key,
  value,
  unit,
  scope,
  source,
  prior: { value: prior[0], spread: prior[1] },
  fitted: true,
});

/** A constant that too few tables move: it keeps its prior. */
export const held = (
  key: string,
  prior: readonly [value: number, spread: number],
  unit: string,
  scope: Constant["scope"],
  source: string,
): Constant => ({
  key,
  value: prior[0],
  unit,
  scope,
  source,
  prior: { value: prior[0], spread: prior[1] },
  fitted: false,
});

/** A number that its source prints. */
export const given = (
  key: string,
  value: number,
  unit: string,
  scope: Constant["scope"],
  source: string,
): Constant => ({ key, value, unit, scope, source, fitted: false });
