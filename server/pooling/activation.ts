/** What is made of the numbers at the end: vectors of length 1, shares of labels. As vLLM reads config.json. */
import { isObject } from "../../models/config.ts";
import { SettingsError } from "../settings/error.ts";

export type Activation = (values: Float32Array) => Float32Array;

/** To length 1; zeros stay zeros. As torch's normalize. */
export const normalised: Activation = (vector) => {
  let squares = 0;
  for (const value of vector) squares += value * value;
  const length = Math.max(Math.sqrt(squares), 1e-12);
  return vector.map((value) => value / length);
};

const identity: Activation = (values) => values;

const sigmoid: Activation = (values) => values.map((value) => 1 / (1 + Math.exp(-value)));

const softmax: Activation = (values) => {
  const most = values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const powers = Float64Array.from(values, (value) => Math.exp(value - most));
  const sum = powers.reduce((a, b) => a + b, 0);
  return Float32Array.from(powers, (value) => value / sum);
};

/** Of a model with so many labels: by `problem_type`, then by what a cross-encoder's file names. Throws SettingsError. */
export function activationOf(
  config: Readonly<Record<string, unknown>>,
  labels: number,
): Activation {
  const shares = labels < 2 ? sigmoid : softmax;
  switch (config["problem_type"]) {
    case "regression":
      return identity;
    case "single_label_classification":
      return shares;
    case "multi_label_classification":
      return sigmoid;
  }
  const { sentence_transformers: told, sbert_ce_default_activation_function: older } = config;
  const named = (isObject(told) ? told["activation_fn"] : undefined) ?? older ?? undefined;
  if (named === undefined) return shares;
  const kind = /^torch\.nn\.modules\..*\b(Identity|Sigmoid|Softmax)$/.exec(String(named))?.[1];
  if (kind === undefined)
    throw new SettingsError(
      `config.json: the activation ${String(named)} is not supported; Identity, Sigmoid and Softmax are.`,
    );
  return kind === "Identity" ? identity : shares;
}
