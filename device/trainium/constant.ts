/** A number of the cost model: what it is, whose, and where it is from. */

export interface Constant {
  readonly key: string;
  readonly value: number;
  readonly unit: string;
  readonly scope: "chip" | "kernel" | "collective" | "runtime" | "stack";
  /** Page, or ids of the rows that fix it. */
  readonly source: string;
  /** Range the fit may move it in; absent: not fitted. */
  readonly range?: readonly [number, number];
}

export const fitted = (
  key: string,
  value: number,
  unit: string,
  scope: Constant["scope"],
  source: string,
  range: readonly [number, number],
): Constant => ({ key, value, unit, scope, source, range });

export const given = (
  key: string,
  value: number,
  unit: string,
  scope: Constant["scope"],
  source: string,
): Constant => ({ key, value, unit, scope, source });

/** Rows that fix what graphs of NeuronCore-v2 and -v3 cost. */
export const V2 = "v0051–v0390 (transformers-neuronx)";
export const V3 = "v1527–v1862, v1900–v1903 (NxD Inference)";
