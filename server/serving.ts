/** What the routes share: the model as it is served, the engines, the settings. */
import type { Clock } from "../device/clock.ts";
import type { Adapter } from "../device/device.ts";
import type { Trust } from "../device/trust.ts";
import type { GenerationRequest } from "../engine/sequence.ts";
import type { ChatTemplate, GenerationDefaults, Tokenizer } from "../models/model.ts";
import type { AdapterRegistry } from "./adapters/registry.ts";
import type { Engines, Handle } from "./engines.ts";
import type { OutputPlanner } from "./generation/planner.ts";
import type { RequestTemplates } from "./generation/request-template.ts";
import { ApiError } from "./http/errors.ts";
import type { ToolParse } from "./metrics/frontend-metrics.ts";
import type { Receipts } from "./metrics/receipts.ts";
import type { Pooler } from "./pooling/pooler.ts";
import type { Profiler } from "./profiler/profiler.ts";
import type { RequestHistory } from "./requests/history.ts";
import type { Settings } from "./settings/table.ts";
import type { Traces } from "./tracing/traces.ts";

/** Names of the model: the first is reported, all are accepted. */
export type ModelNames = readonly [string, ...string[]];

export interface Serving {
  readonly names: ModelNames;
  /** Path or catalogue id of the model. */
  readonly root: string;
  /** Unix seconds of the start. */
  readonly created: number;
  readonly maxModelLen: number;
  /** Tokens in a KV block. */
  readonly kvBlockSize: number;
  /** Ids that can come out, and that have a text. */
  readonly vocabSize: number;
  /** Ids that can go in: the served model's, whoever says the words. */
  readonly promptVocabSize: number;
  /** What is simulated, whose words these are and whose tokens are counted; absent: nothing is. */
  readonly simulation?: string;
  /** How far the simulated times can be believed; absent: nothing is simulated. */
  readonly trust?: Trust;
  readonly tokenizer?: Tokenizer;
  /** tokenizer_config.json as read, for /tokenizer_info. */
  readonly tokenizerInfo?: Readonly<Record<string, unknown>>;
  readonly chatTemplate?: ChatTemplate;
  /** Sampling defaults, `--generation-config` and its overrides applied. */
  readonly defaults: GenerationDefaults;
  /** `system_fingerprint`; null with `--fingerprint-mode none`. */
  readonly fingerprint: string | null;
  readonly settings: Settings;
  /** config.json as read. */
  readonly modelConfig: Readonly<Record<string, unknown>>;
  readonly engines: Engines;
  /** Of a server that embeds texts and generates none. */
  readonly pooling?: Pooler;
  /** With `--enable-lora`. */
  readonly adapters?: AdapterRegistry;
  /** False: ids are synthetic or told again, not drawn from logits: no log-probabilities, no structured output. */
  readonly samples: boolean;
  readonly clock: Clock;
  readonly planner: OutputPlanner;
  readonly templates: RequestTemplates;
  /** With `--enable-per-request-metrics`. */
  readonly receipts?: Receipts;
  /** The last requests; absent with `--request-history-entries 0`. */
  readonly history?: RequestHistory;
  /** With `--otlp-traces-endpoint`. */
  readonly traces?: Traces;
  /** `--kv-events-config` of each data-parallel rank, as vLLM tells it; absent: nothing is published. */
  readonly kvEventSources?: Readonly<Record<string, object>>;
  /** Absent: profiling is not configured. */
  readonly profiler?: Profiler;
  /** Told of completions as they join the queue, the first of them `from`: what events do not carry. */
  readonly submitted?: (
    engine: number,
    request: GenerationRequest,
    handles: readonly Handle[],
    from: number,
  ) => void;
  /** Told of a request that the queue had no room for. */
  readonly refused?: (limit: "requests" | "tokens") => void;
  /** Told of each text that a tool parser read. */
  readonly parsedTools?: (parse: ToolParse) => void;
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
  const [first] = serving.names;
  if (model === undefined || model === null || model === "") return first;
  if (adapterNamed(serving, model) !== undefined) return model;
  if (!serving.names.includes(model)) {
    throw new ApiError(
      "not-found",
      `The model \`${model}\` does not exist. Valid aliases: ${serving.names.join(", ")}.`,
      { param: "model" },
    );
  }
  return first;
}
