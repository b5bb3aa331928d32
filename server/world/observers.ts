/** Who listens to the engines beside the requests: metrics, receipts, the profiler, publishers of KV events. */
import type { Clock } from "../../device/clock.ts";
import type { Device } from "../../device/device.ts";
import type { Engine } from "../../engine/engine.ts";
import { type KvEventsConfig, readKvEventsConfig } from "../kv-events/config.ts";
import { type KvEventFeed, publishKvEvents } from "../kv-events/feed.ts";
import { Metrics } from "../metrics/metrics.ts";
import { Receipts } from "../metrics/receipts.ts";
import type { ProfilerConfig } from "../profiler/config.ts";
import { Profiler } from "../profiler/profiler.ts";
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
}

export interface Observers {
  readonly metrics: Metrics;
  readonly receipts?: Receipts;
  readonly profiler?: Profiler;
}

export function observe(observed: Observed): Observers {
  const { settings, ranks, modelName, profiling } = observed;
  const { device, engine } = ranks[0];
  const engines = ranks.map((rank) => rank.engine);
  const timeScale = settings["time-scale"] ?? 1;
  const devices = ranks.map((rank) => rank.device);
  const metrics = new Metrics(engines, {
    modelName,
    maxModelLen: engine.maxContext,
    hidden: settings["show-hidden-metrics-for-version"] !== undefined,
    engineSeries: !settings["disable-log-stats"],
    cacheConfig: cacheConfig(settings, device),
    ...optional("maxDrafted", observed.maxDrafted),
    ...optional("machine", machineFacts(devices, settings, observed.start)),
    now: () => observed.clock.now(),
    timeScale,
  });
  return {
    metrics,
    ...(settings["enable-per-request-metrics"] && { receipts: new Receipts(engines, timeScale) }),
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
  engines: readonly Engine[],
  of: { readonly settings: Settings; readonly device: Device },
): Promise<KvEventFeed | undefined> {
  if (config === undefined) return undefined;
  try {
    return await publishKvEvents(engines, {
      config,
      blockSize: of.device.limits.blockSize,
      intHashes: of.settings["kv-events-int-hashes"],
      warn: (message) => process.emitWarning(message),
    });
  } catch (error) {
    throw new SettingsError(`--kv-events-config: ${(error as Error).message}`); // publishers throw Errors
  }
}

/** Labels of vllm:cache_config_info, spelled as Python spells them. */
function cacheConfig(settings: Settings, { limits }: Device): Record<string, string> {
  const tokens = limits.blocks * limits.blockSize;
  return {
    block_size: String(limits.blockSize),
    num_gpu_blocks: String(limits.blocks),
    num_cpu_blocks: "0",
    num_gpu_blocks_override: String(settings["num-gpu-blocks-override"] ?? "None"),
    enable_prefix_caching: settings["enable-prefix-caching"] ? "True" : "False",
    gpu_memory_utilization: "None",
    cache_dtype: settings["kv-cache-dtype"],
    prefix_caching_hash_algo: "sha256_cbor",
    kv_cache_size_tokens: String(tokens),
    kv_cache_max_concurrency: (tokens / limits.maxContext).toFixed(2),
  };
}
