/** Who listens to the engines beside the requests: metrics, receipts, the profiler, publishers of KV events. */

import type { Clock } from "../../device/clock.ts";
import type { Device } from "../../device/device.ts";
import type { AdapterRegistry } from "../adapters/registry.ts";
import { type KvEventsConfig, readKvEventsConfig } from "../kv-events/config.ts";
import { type KvEventFeed, publishKvEvents } from "../kv-events/feed.ts";
import type { AdapterUse } from "../metrics/adapter-metrics.ts";
import { Metrics } from "../metrics/metrics.ts";
import { Receipts } from "../metrics/receipts.ts";
import type { ProfilerConfig } from "../profiler/config.ts";
import { Profiler } from "../profiler/profiler.ts";
import { RequestHistory } from "../requests/history.ts";
import { SettingsError } from "../settings/error.ts";
import type { Settings } from "../settings/table.ts";
import { machineFacts } from "./machine.ts";
import { optional } from "./optional.ts";
import type { Rank } from "./ranks.ts";
import type { StartUp } from "./start-up.ts";

export interface Observed {
  readonly settings: Settings;
  readonly ranks: readonly [Rank, ...Rank[]];
  readonly clock: Clock;
  /** As metrics and profiles name it. */
  readonly modelName: string;
  /** Of a simulated machine. */
  readonly start: StartUp | undefined;
  /** Drafted tokens a step may carry; absent: nothing is drafted. */
  readonly maxDrafted: number | undefined;
  readonly profiling: ProfilerConfig | undefined;
  readonly adapters: AdapterRegistry | undefined;
}

export interface Observers {
  readonly metrics: Metrics;
  readonly receipts?: Receipts;
  readonly profiler?: Profiler;
  readonly history?: RequestHistory;
}

export function observe(observed: Observed): Observers {
  const { settings, ranks, modelName, profiling } = observed;
  const { device, engine } = ranks[0];
  const engines = ranks.map((rank) => rank.engine);
  const entries = settings["request-history-entries"];
  const timeScale = settings["time-scale"] ?? 1;
  const devices = ranks.map((rank) => rank.device);
  const metrics = new Metrics(engines, {
    modelName,
    firstRank: ranks[0].rank,
    maxModelLen: engine.maxContext,
    hidden: settings["show-hidden-metrics-for-version"] !== undefined,
    parsesTools: settings["tool-call-parser"] !== undefined,
    engineSeries: !settings["disable-log-stats"],
    cacheConfig: cacheConfig(settings, device),
    ...optional("maxDrafted", observed.maxDrafted),
    ...optional("adapters", observed.adapters && adapterUse(observed.adapters, settings)),
    ...optional("machine", machineFacts(devices, settings, observed.start)),
    now: () => observed.clock.now(),
    timeScale,
  });
  return {
    metrics,
    ...(settings["enable-per-request-metrics"] && { receipts: new Receipts(engines, timeScale) }),
    ...(entries > 0 && {
      history: new RequestHistory(engines, { entries, timeScale, clock: observed.clock }),
    }),
    ...(profiling && {
      profiler: new Profiler({
        engines,
        config: profiling,
        model: modelName,
        timeScale,
        ...optional("machine", device.machine),
      }),
    }),
  };
}

function adapterUse(registry: AdapterRegistry, settings: Settings): AdapterUse {
  return { most: settings["max-loras"], now: () => registry.inUse };
}

/** Throws SettingsError naming the key that is wrong. */
export function kvEventsConfig(settings: Settings): KvEventsConfig | undefined {
  try {
    return readKvEventsConfig(settings["kv-events-config"]);
  } catch (error) {
    throw new SettingsError(`--kv-events-config: ${(error as Error).message}`); // the reader throws Errors
  }
}

export async function kvEventFeed(
  config: KvEventsConfig | undefined,
  ranks: readonly [Rank, ...Rank[]],
  settings: Settings,
): Promise<KvEventFeed | undefined> {
  if (config === undefined) return undefined;
  try {
    return await publishKvEvents(ranks, {
      config,
      blockSize: ranks[0].device.limits.blockSize,
      intHashes: settings["kv-events-int-hashes"],
      warn: (message) => process.emitWarning(message),
    });
  } catch (error) {
    throw new SettingsError(`--kv-events-config: ${(error as Error).message}`); // publishers throw Errors
  }
}

/** Labels of vllm:cache_config_info, spelled as Python spells them; what has no meaning here is None or off. */
function cacheConfig(settings: Settings, { limits }: Device): Record<string, string> {
  const tokens = limits.blocks * limits.blockSize;
  const concurrency = tokens / limits.maxContext;
  return {
    block_size: String(limits.blockSize),
    user_specified_block_size: python(settings["block-size"] !== undefined),
    _block_size_resolved: "True",
    hash_block_size: "None",
    effective_attention_block_size: String(limits.blockSize),
    cache_hit_alignment_tokens: "None",
    prefix_match_unit: "None",
    prefix_cache_retention_interval: "0",
    gpu_memory_utilization: "None",
    cache_dtype: settings["kv-cache-dtype"],
    kv_cache_dtype_skip_layers: "[]",
    kv_cache_layout: "None",
    kv_cache_memory_bytes: python(settings["kv-cache-memory-bytes"]),
    num_gpu_blocks: String(limits.blocks),
    num_cpu_blocks: "None",
    num_gpu_blocks_override: python(settings["num-gpu-blocks-override"]),
    sliding_window: "None",
    swa_bounded_replay: "False",
    is_attention_free: "False",
    enable_prefix_caching: python(settings["enable-prefix-caching"]),
    prefix_caching_hash_algo: "sha256_cbor",
    kv_sharing_fast_prefill: "False",
    kv_offloading_size: "None",
    kv_offloading_backend: "None",
    mamba_block_size: "None",
    mamba_cache_dtype: "None",
    mamba_cache_mode: "none",
    mamba_page_size_padded: "None",
    mamba_ssm_cache_dtype: "None",
    enable_mamba_shared_prefix_checkpoint: "False",
    skip_page_size_padded: "None",
    use_replayssm: "False",
    use_kda_recoverssm: "False",
    replayssm_buffer_len: "None",
    kv_cache_size_tokens: String(tokens),
    kv_cache_max_concurrency: Number.isInteger(concurrency)
      ? concurrency.toFixed(1)
      : String(concurrency),
  };
}

function python(value: boolean | number | undefined): string {
  if (value === undefined) return "None";
  return typeof value === "number" ? String(value) : value ? "True" : "False";
}
