/** What the routes share: the model as it is served, the engines, the settings. */
import type { Adapter } from "../device/device.ts";
import type { Trust } from "../device/trust.ts";
import type { AdapterRegistry } from "./adapters/registry.ts";
import type { GenerationParts } from "./generation/generate.ts";
import type { ServedModel } from "./generation/served-model.ts";
import { ApiError } from "./http/errors.ts";
import type { Profiler } from "./profiler/profiler.ts";
import type { RequestHistory } from "./requests/history.ts";

export interface Serving extends ServedModel, GenerationParts {
  /** Path or catalogue id of the model. */
  readonly root: string;
  /** Unix seconds of the start. */
  readonly created: number;
  /** Tokens in a KV block. */
  readonly kvBlockSize: number;
  /** What is simulated, whose words these are and whose tokens are counted; absent: nothing is. */
  readonly simulation?: string;
  /** How far the simulated times can be believed; absent: nothing is simulated. */
  readonly trust?: Trust;
  /** tokenizer_config.json as read, for /tokenizer_info. */
  readonly tokenizerInfo?: Readonly<Record<string, unknown>>;
  /** `system_fingerprint`; null with `--fingerprint-mode none`. */
  readonly fingerprint: string | null;
  /** config.json as read. */
  readonly modelConfig: Readonly<Record<string, unknown>>;
  /** With `--enable-lora`. */
  readonly adapters?: AdapterRegistry;
  /** The last requests; absent with `--request-history-entries 0`. */
  readonly history?: RequestHistory;
  /** `--kv-events-config` of each data-parallel rank, as vLLM tells it; absent: nothing is published. */
  readonly kvEventSources?: Readonly<Record<string, object>>;
  /** Absent: profiling is not configured. */
  readonly profiler?: Profiler;
}

/** The adapter that a request names as its model; absent: it asks the base model. */
export function adapterNamed(
  { adapters }: Serving,
  model: string | null | undefined,
): Adapter | undefined {
  return model ? adapters?.find(model) : undefined;
}

/** The name to report, the first of the base model's as in vLLM, or the adapter's; throws 404 for a model that is not served. */
export function servedName(serving: Serving, model: string | null | undefined): string {
  const name = nameOf(serving, model);
  if (name !== undefined) return name;
  throw new ApiError(
    "not-found",
    `The model \`${model}\` does not exist. Valid aliases: ${serving.names.join(", ")}.`,
    { param: "model" },
  );
}

/** The same for what pools: vLLM names neither the field there nor the aliases. */
export function pooledName(serving: Serving, model: string | null | undefined): string {
  const name = nameOf(serving, model);
  if (name !== undefined) return name;
  throw new ApiError("not-found", `The model \`${model}\` does not exist.`);
}

function nameOf(serving: Serving, model: string | null | undefined): string | undefined {
  const { names } = serving;
  if (model === undefined || model === null || model === "") return names[0];
  if (adapterNamed(serving, model) !== undefined) return model;
  return names.includes(model) ? names[0] : undefined;
}
