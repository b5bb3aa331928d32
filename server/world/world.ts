/**
 * Everything below HTTP, in the order of its making: clock → model → sampler →
 * device → engine. One device and engine for each data-parallel rank.
 */

import { createHash } from "node:crypto";
import { basename } from "node:path";
import { RealClock } from "../../device/clocks/real.ts";
import type { Device } from "../../device/device.ts";
import { createDevice } from "../../device/registry.ts";
import type { DeviceSettings } from "../../device/settings.ts";
import { TrainiumDevice } from "../../device/trainium/device.ts";
import { Engine } from "../../engine/engine.ts";
import type { EngineOptions } from "../../engine/options.ts";
import { TokenSampler } from "../../engine/sample/sampler.ts";
import { loadModel } from "../../models/load.ts";
import type { Model } from "../../models/model.ts";
import { FourByteTokenizer, plainChatTemplate } from "../../models/tokenizer/four-bytes.ts";
import { faultOf } from "../../models/tokenizer/try-template.ts";
import { Engines } from "../generation/engines.ts";
import { RequestTemplates } from "../generation/request-template.ts";
import { createPlanner } from "../grammar/planner.ts";
import { type KvEventsConfig, kvEventSource, readKvEventsConfig } from "../kv-events/config.ts";
import { type KvEventFeed, publishKvEvents } from "../kv-events/feed.ts";
import { Metrics } from "../metrics/metrics.ts";
import { Receipts } from "../metrics/receipts.ts";
import { readProfilerConfig } from "../profiler/config.ts";
import { Profiler } from "../profiler/profiler.ts";
import type { Serving } from "../serving.ts";
import { SettingsError } from "../settings/error.ts";
import { shapingSettings } from "../settings/shown.ts";
import type { Settings } from "../settings/table.ts";
import { sha256 } from "../sha256.ts";
import { VERSION } from "../version.ts";
import { deviceFor } from "./default-model.ts";
import { samplingDefaults } from "./generation-defaults.ts";
import { machineFacts, simulationOf } from "./machine.ts";
import { reportOnce } from "./report-once.ts";
import { checkScheduling } from "./scheduling.ts";
import { modelSource, tokenizerInfo } from "./sources.ts";
import { speculation, speculativeConfig } from "./speculation.ts";
import { openNeffFolder, type SimulatedStart, simulatedStart } from "./start-up.ts";
import { voiceOf } from "./voice.ts";
import { borrow, bundledModel, valuesModel } from "./words.ts";

export interface World {
  readonly model: Model;
  readonly device: Device;
  readonly serving: Serving;
  readonly metrics: Metrics;
  /** Present with `--kv-events-config`. */
  readonly kvEvents?: KvEventFeed;
  /** Milliseconds of each part of the start. */
  readonly startup: Readonly<Record<string, number>>;
  /** What was asked for and is not done, in a line each. */
  readonly notes: readonly string[];
  /** Of a simulated machine; whoever builds the world runs it before serving. */
  readonly simulatedStart?: SimulatedStart;
  close(): Promise<void>;
}

/** Told of bugs of ours: those that ended a request, and those of who listens to the engine. */
export type Report = (error: Error) => void;

interface Closable {
  close(): Promise<void>;
}

/**
 * Throws SettingsError, or the model's and the device's own errors, which name
 * what is wrong; what was started until then is closed, so that the process can end.
 */
export async function buildWorld(given: Settings, report?: Report): Promise<World> {
  const opened: Closable[] = [];
  try {
    return await build(given, opened, report);
  } catch (error) {
    await Promise.allSettled(opened.map((part) => part.close()));
    throw error;
  }
}

async function build(given: Settings, opened: Closable[], report?: Report): Promise<World> {
  const startup: Record<string, number> = {};
  const timed = async <T>(name: string, make: () => Promise<T>): Promise<T> => {
    const began = performance.now();
    const made = await make();
    startup[name] = Math.round(performance.now() - began);
    return made;
  };
  const clock = new RealClock();
  const source = modelSource(given);
  const model = await timed("model", () =>
    loadModel(source, {
      ...(given.tokenizer !== undefined && { tokenizer: given.tokenizer }),
      ...(given["chat-template"] !== undefined && { chatTemplate: given["chat-template"] }),
      config: given["hf-overrides"],
    }),
  );
  const name = given.device ?? deviceFor(model);
  // In a process of its own, while the device is made.
  const probed = source === bundledModel() ? Promise.resolve() : model.tokenizer?.probe?.();
  probed?.catch(() => {}); // awaited below
  const asked: Settings = { ...given, model: source, device: name };
  checkContext(asked, model);
  const words = name === "trainium" ? await valuesModel(asked, model) : model;
  const { settings, closeAfter, notes } = voiceOf(asked, { model, words });
  const drafting = speculativeConfig(settings);
  const kvEvents = kvEventsConfig(settings);
  const profiling = readProfilerConfig(settings["profiler-config"]);
  const folder = name === "trainium" ? openNeffFolder(settings["neff-cache"]) : undefined;
  const onListenerError = reportOnce(report);
  const engines: Engine[] = [];
  const devices: Device[] = [];
  await timed("device", async () => {
    for (let rank = 0; rank < settings["data-parallel-size"]; rank++) {
      const sampler = new TokenSampler({
        seed: settings.seed + rank,
        logprobsMode: settings["logprobs-mode"],
      });
      const base = deviceSettings(settings, {
        model,
        clock,
        sampler,
        ...optional("maxDrafted", drafting?.maxTokens),
      });
      const inner =
        name === "trainium" && words !== undefined ? await borrow(words, base) : undefined;
      if (inner !== undefined) opened.push(inner);
      const device = await createDevice(name, { ...base, ...optional("inner", inner) });
      opened.push(device);
      devices.push(device);
      const speculative = drafting && (await speculation(drafting, device, base));
      const options = { ...engineOptions(settings, device), kvEvents: kvEvents !== undefined };
      const engine = new Engine(
        { device, clock, sampler, sha256, onListenerError },
        { ...options, ...optional("speculative", speculative) },
      );
      opened.push(engine);
      engines.push(engine);
    }
  });
  await timed("tokenizer", async () => probed);
  const [device] = devices;
  const [engine] = engines;
  if (device === undefined || engine === undefined) throw new Error("No engine was made.");
  const start = simulatedStart(device, { settings, folder });
  const machine = machineFacts(devices, settings, start);
  const feed = await kvEventFeed(kvEvents, engines, { settings, device });
  const group = new Engines(engines, report);
  const names = servedNames(settings, given.model);
  const timeScale = settings["time-scale"] ?? 1;
  const metrics = new Metrics(engines, {
    modelName: names[0] ?? source,
    maxModelLen: engine.maxContext,
    hidden: settings["show-hidden-metrics-for-version"] !== undefined,
    engineSeries: !settings["disable-log-stats"],
    cacheConfig: cacheConfig(settings, device),
    ...optional("maxDrafted", drafting?.maxTokens),
    ...optional("machine", machine),
    now: () => clock.now(),
    timeScale,
  });
  // Synthetic ids without a tokenizer of their own are counted and told by bytes.
  const counted = words === undefined ? new FourByteTokenizer(device.vocabSize) : words.tokenizer;
  const tokenizer = model.tokenizer ?? counted;
  // With borrowed words, only their ids have a text.
  const borrowed = model.tokenizer === undefined ? words?.architecture.vocabSize : undefined;
  const vocabSize = borrowed ?? device.vocabSize;
  const chatTemplate =
    model.chatTemplate ?? (words === undefined ? plainChatTemplate : words.chatTemplate);
  const fault = chatTemplate && faultOf(chatTemplate, settings["default-chat-template-kwargs"]);
  if (fault?.fatal) throw new SettingsError(`${templateName(settings)}: ${fault.sentence}.`);
  const defaults = samplingDefaults(
    model.tokenizer === undefined && words ? words.generation : model.generation,
    settings,
  );
  const samples = device.can.grammar;
  const planner = createPlanner({
    ...(tokenizer && { tokenizer }),
    vocabSize,
    samples,
    endIds: defaults.eosTokenIds,
    ...optional("toolParser", settings["tool-call-parser"]),
    autoTools: settings["enable-auto-tool-choice"] ?? false,
    ...(closeAfter !== undefined && { closeAfter, callsByName: true }),
    hideUnusedTools: settings["exclude-tools-when-tool-choice-none"],
    ...optional("reasoningParser", settings["reasoning-parser"]),
    templateDefaults: settings["default-chat-template-kwargs"],
  });
  const templates = new RequestTemplates(model.tokenizerConfig ?? words?.tokenizerConfig ?? {});
  const receipts = settings["enable-per-request-metrics"]
    ? new Receipts(engines, timeScale)
    : undefined;
  const profiler =
    profiling &&
    new Profiler({
      engines,
      config: profiling,
      model: names[0] ?? source,
      timeScale,
      ...(device instanceof TrainiumDevice && { plan: device.plan }),
    });
  const serving: Serving = {
    names,
    root: given.model ?? names[0] ?? source,
    created: Math.floor(Date.now() / 1000),
    maxModelLen: engine.maxContext,
    vocabSize,
    promptVocabSize: device.vocabSize,
    ...optional("simulation", simulationOf(device, { model, words })),
    ...optional("trust", machine?.trust),
    ...(tokenizer && { tokenizer }),
    ...(chatTemplate && { chatTemplate }),
    ...optional("tokenizerInfo", tokenizerInfo(settings.tokenizer ?? words?.source ?? source)),
    defaults,
    fingerprint: fingerprint(settings),
    settings,
    engines: group,
    samples,
    clock,
    planner,
    templates,
    ...(kvEvents && {
      kvEventSources: Object.fromEntries(
        engines.map((_, rank) => [String(rank), kvEventSource(kvEvents, rank)]),
      ),
    }),
    ...optional("profiler", profiler),
    ...optional("receipts", receipts),
    submitted: (...told) => metrics.submitted(...told),
    refused: (limit) => metrics.refused(limit),
  };
  return {
    model,
    device,
    serving,
    metrics,
    startup,
    notes: [...notes, ...(fault ? [`${templateName(settings)}: ${fault.sentence}`] : [])],
    ...optional("kvEvents", feed),
    ...optional("simulatedStart", start),
    close: async () => {
      await group.close();
      await feed?.close();
      await planner.close();
      await templates.close();
    },
  };
}

function templateName(settings: Settings): string {
  const given = settings["chat-template"];
  if (given === undefined) return "The model's chat template (give another by --chat-template)";
  return given.includes("\n") ? "--chat-template" : `--chat-template ${given}`;
}

/** As the flag says, else as the model was named; the bundled one goes by its folder. */
function servedNames(settings: Settings, model: string | undefined): readonly string[] {
  const names = settings["served-model-name"];
  return names.length > 0 ? names : [model ?? basename(bundledModel())];
}

function checkContext(settings: Settings, model: Model): void {
  const asked = settings["max-model-len"];
  const most = model.architecture.maxContext;
  if (asked === undefined || asked === -1) return;
  if (asked < 1) throw new SettingsError(`--max-model-len must be at least 1, got ${asked}.`);
  if (asked > most) {
    throw new SettingsError(
      `--max-model-len ${asked} is greater than the model's own ${most}, which config.json's max_position_embeddings and rope_scaling give.`,
    );
  }
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
] as const;

function deviceSettings(
  settings: Settings,
  made: Pick<DeviceSettings, "model" | "clock" | "sampler" | "maxDrafted">,
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
    ...optional("inFlight", settings["async-scheduling"] ? undefined : (1 as const)),
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

/** Throws SettingsError naming the key that is wrong. */
function kvEventsConfig(settings: Settings): KvEventsConfig | undefined {
  try {
    return readKvEventsConfig(settings["kv-events-config"]);
  } catch (error) {
    throw new SettingsError(`--kv-events-config: ${(error as Error).message}`); // the reader throws Errors
  }
}

async function kvEventFeed(
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

function fingerprint(settings: Settings): string | null {
  const mode = settings["fingerprint-mode"];
  if (mode === "none") return null;
  if (mode === "custom") return settings["fingerprint-value"] ?? null;
  const shaping = JSON.stringify(shapingSettings(settings));
  const hash = createHash("sha256").update(shaping).digest("hex").slice(0, 8);
  if (mode === "hash") return hash;
  return `trainyard-${VERSION}-tp${settings["tensor-parallel-size"]}-${hash}`;
}

function optional<K extends string, V>(key: K, value: V | undefined): { [key in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { [key in K]?: V }); // one key, one value
}
