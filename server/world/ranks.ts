/** What runs: a sampler, a device and an engine for each data-parallel rank. */
import { homedir } from "node:os";
import { join } from "node:path";
import type { Clock } from "../../device/clock.ts";
import type { Device } from "../../device/device.ts";
import { createDevice } from "../../device/registry.ts";
import type { AdapterSettings, DeviceSettings } from "../../device/settings.ts";
import { MarkedDrafts } from "../../device/words/marked-drafts.ts";
import { Engine, type EngineParts } from "../../engine/engine.ts";
import type { EngineOptions } from "../../engine/options.ts";
import { TokenSampler } from "../../engine/sample/sampler.ts";
import type { SpeculativeConfig } from "../../engine/speculate/registry.ts";
import { isEncoder, pools } from "../pooling/pooler.ts";
import { SettingsError } from "../settings/error.ts";
import type { Settings } from "../settings/table.ts";
import { sha256 } from "../sha256.ts";
import { optional } from "./optional.ts";
import { parallelRanks } from "./parallel.ts";
import { checkScheduling } from "./scheduling.ts";
import type { Served } from "./served.ts";
import { speculation } from "./speculation.ts";
import { borrow } from "./words.ts";

export interface Rank {
  /** Among all data-parallel ranks, those of other servers included. */
  readonly rank: number;
  readonly device: Device;
  readonly engine: Engine;
}

export interface Closable {
  close(): Promise<void>;
}

export interface RankOptions {
  readonly clock: Clock;
  readonly drafting: SpeculativeConfig | undefined;
  /** Do engines say which blocks they keep? */
  readonly kvEvents: boolean;
  readonly onListenerError: NonNullable<EngineParts["onListenerError"]>;
  /** Gets all that was started, as it is: whoever gives up closes it. */
  readonly opened: Closable[];
  /** Told while weights are loaded, of `total` parts. */
  readonly onLoading?: DeviceSettings["onLoading"];
}

/** At least one. Throws the device's own errors and SettingsError. */
export async function makeRanks(
  served: Served,
  options: RankOptions,
): Promise<readonly [Rank, ...Rank[]]> {
  const { first, count } = parallelRanks(served.settings, { moe: hasExperts(served.model) });
  const ranks: [Rank, ...Rank[]] = [await makeRank(served, options, first)];
  for (let rank = first + 1; rank < first + count; rank++) {
    ranks.push(await makeRank(served, options, rank));
  }
  return ranks;
}

async function makeRank(served: Served, options: RankOptions, rank: number): Promise<Rank> {
  const { settings, model, words, simulated } = served;
  const { clock, drafting, opened, onListenerError } = options;
  const sampler = new TokenSampler({
    seed: settings.seed + rank,
    logprobsMode: settings["logprobs-mode"],
  });
  const base = deviceSettings(settings, {
    model,
    clock,
    sampler,
    ...optional("convertedWeights", convertedWeights(settings)),
    ...optional("maxDrafted", drafting?.maxTokens),
  });
  // Words are borrowed, and drafts made, without adapters.
  const { adapters: _adapters, ...plain } = base;
  const pooling = pools(served);
  const speaks = simulated && words !== undefined && !pooling;
  const borrowed = speaks ? await borrow(words, plain) : undefined;
  const inner = borrowed && drafting?.acceptance ? new MarkedDrafts(borrowed, plain) : borrowed;
  if (inner !== undefined) opened.push(inner);
  const device = await createDevice(served.device, {
    ...base,
    ...optional("inner", inner),
    ...optional("onLoading", options.onLoading),
  });
  opened.push(device);
  const speculative = drafting && (await speculation(drafting, device, plain));
  const engine = new Engine(
    { device, clock, sampler, sha256, onListenerError },
    {
      ...engineOptions(pooling ? poolingSettings(served) : settings, device),
      kvEvents: options.kvEvents,
      ...optional("speculative", speculative),
    },
  );
  opened.push(engine);
  return { rank, device, engine };
}

/** Bytes of converted weights that are kept; those used longest ago make room. */
const MOST_CONVERTED = 64 * 2 ** 30;
/** Less is converted in an instant. */
const LEAST_CONVERTED = 64 * 2 ** 20;

function convertedWeights({ cache }: Settings): DeviceSettings["convertedWeights"] {
  if (!cache) return undefined;
  const caches = process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache");
  return {
    folder: join(caches, "trainyard", "weights"),
    mostBytes: MOST_CONVERTED,
    leastBytes: LEAST_CONVERTED,
  };
}

function hasExperts({ architecture }: Served["model"]): boolean {
  return architecture.layers.some(({ ops }) => ops.some(({ op }) => op === "experts"));
}

/** Flags that a device reads by itself. */
const OWN = [
  "instance",
  "neuron-kernels",
  "logical-nc-config",
  "serving-stack",
  "neuron-stack",
  "additional-config",
  "set",
  "hardware",
  "calibration",
  "price-per-hour",
  "kv-cache-dtype",
  "enable-expert-parallel",
  "expert-parallel",
  "async-scheduling",
  "time-scale",
  "step-timeout",
  "weight-copies",
  "batch-invariant",
] as const;

function deviceSettings(
  settings: Settings,
  made: Pick<DeviceSettings, "model" | "clock" | "sampler" | "maxDrafted" | "convertedWeights">,
): DeviceSettings {
  const context = settings["max-model-len"];
  const own = Object.fromEntries(
    OWN.flatMap((flag) => (settings[flag] === undefined ? [] : [[flag, settings[flag]]])),
  );
  return {
    ...made,
    tensorParallelSize: settings["tensor-parallel-size"],
    seed: settings.seed,
    own,
    ...optional("blockSize", settings["block-size"]),
    ...optional("blocks", settings["num-gpu-blocks-override"]),
    ...optional("kvCacheBytes", settings["kv-cache-memory-bytes"]),
    ...optional("maxRows", settings["max-num-seqs"]),
    ...optional("maxTokens", settings["max-num-batched-tokens"]),
    ...optional("maxContext", context === -1 ? undefined : context),
    ...optional("quantization", settings.quantization),
    ...optional("adapters", adapterSettings(settings)),
    ...optional("inFlight", settings["async-scheduling"] ? undefined : (1 as const)),
  };
}

function adapterSettings(settings: Settings): AdapterSettings | undefined {
  if (!settings["enable-lora"]) return undefined;
  const inStep = settings["max-loras"];
  const inMemory = settings["max-cpu-loras"] ?? inStep;
  if (inMemory < inStep) {
    throw new SettingsError(`max_cpu_loras (${inMemory}) must be >= max_loras (${inStep}).`);
  }
  return { inStep, inMemory, maxRank: settings["max-lora-rank"] };
}

/** As vLLM: an encoder's text is computed whole, and nothing of it is kept for others. */
function poolingSettings({ settings, model }: Served): Settings {
  if (!isEncoder(model)) return settings;
  return {
    ...settings,
    "enable-prefix-caching": false,
    "enable-chunked-prefill": false,
    "long-prefill-token-threshold": 0,
  };
}

function engineOptions(settings: Settings, { limits }: Device): EngineOptions {
  checkScheduling(settings, limits.maxContext);
  return {
    maxNumSeqs: settings["max-num-seqs"] ?? limits.maxRows,
    maxNumBatchedTokens: settings["max-num-batched-tokens"] ?? limits.maxTokens,
    maxModelLen: limits.maxContext,
    enablePrefixCaching: settings["enable-prefix-caching"],
    enableChunkedPrefill: settings["enable-chunked-prefill"],
    longPrefillTokenThreshold: settings["long-prefill-token-threshold"],
    schedulingPolicy: settings["scheduling-policy"],
    seed: settings.seed,
    ...optional("maxNumQueuedReqs", settings["max-num-queued-reqs"]),
    ...optional("maxNumQueuedTokens", settings["max-num-queued-tokens"]),
  };
}
