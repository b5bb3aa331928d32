/** `--pooler-config`, vLLM's keys: what is heard of them, and what is refused because it would change the numbers. */
import type { PoolingKind } from "../../models/model.ts";
import { SettingsError } from "../settings/error.ts";

export interface PoolerConfig {
  readonly task?: string;
  readonly kind?: PoolingKind;
  readonly activates?: boolean;
  /** Of a head of labels: (logit − mean) ÷ sigma. */
  readonly mean: number;
  readonly sigma: number;
}

const KINDS: ReadonlyMap<unknown, PoolingKind> = new Map([
  ["LAST", "last"],
  ["CLS", "cls"],
  ["MEAN", "mean"],
]);

const KEYS = [
  "task",
  "pooling_type",
  "seq_pooling_type",
  "use_activation",
  "logit_mean",
  "logit_sigma",
];

/** Throws SettingsError. */
export function readPoolerConfig(given: Readonly<Record<string, unknown>> = {}): PoolerConfig {
  for (const key of Object.keys(given)) {
    if (!KEYS.includes(key) && given[key] !== null)
      throw new SettingsError(
        `--pooler-config: "${key}" is not supported; ${KEYS.join(", ")} are.`,
      );
  }
  const { task, pooling_type: type, seq_pooling_type: sequence } = given;
  if (type !== undefined && sequence !== undefined)
    throw new SettingsError(
      "--pooler-config: Cannot set both `pooling_type` and `seq_pooling_type`",
    );
  const called = type ?? sequence ?? undefined;
  const kind = KINDS.get(called);
  if (called !== undefined && kind === undefined)
    throw new SettingsError(
      `--pooler-config: "${type === undefined ? "seq_" : ""}pooling_type" must be LAST, CLS or MEAN, got ${JSON.stringify(called)}.`,
    );
  const activates = given["use_activation"] ?? undefined;
  if (activates !== undefined && typeof activates !== "boolean")
    throw new SettingsError('--pooler-config: "use_activation" must be true or false.');
  return {
    ...(typeof task === "string" && { task }),
    ...(kind && { kind }),
    ...(activates !== undefined && { activates }),
    mean: numberOf(given, "logit_mean", 0),
    sigma: numberOf(given, "logit_sigma", 1),
  };
}

function numberOf(given: Readonly<Record<string, unknown>>, key: string, absent: number): number {
  const value = given[key] ?? absent;
  const divides = key === "logit_sigma";
  if (typeof value === "number" && !(divides && value === 0)) return value;
  const wanted = divides ? "a number other than 0" : "a number";
  throw new SettingsError(`--pooler-config: "${key}" must be ${wanted}.`);
}
