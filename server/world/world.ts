/**
 * Everything below HTTP, in the order of its making: what is served → what runs
 * (served.ts, ranks.ts) → what text is (text.ts) → who listens (observers.ts).
 */

import { createHash } from "node:crypto";
import { basename } from "node:path";
import type { Clock } from "../../device/clock.ts";
import { RealClock } from "../../device/clocks/real.ts";
import type { Device } from "../../device/device.ts";
import type { Model } from "../../models/model.ts";
import type { AdapterRegistry } from "../adapters/registry.ts";
import { Engines } from "../engines.ts";
import type { FixedAnswers } from "../fixed/answers.ts";
import type { ModelNames } from "../generation/served-model.ts";
import { type KvEventsConfig, kvEventSource } from "../kv-events/config.ts";
import type { KvEventFeed } from "../kv-events/feed.ts";
import type { Metrics } from "../metrics/metrics.ts";
import { type Pooler, poolerOf } from "../pooling/pooler.ts";
import { readProfilerConfig } from "../profiler/config.ts";
import type { Serving } from "../serving.ts";
import { shapingSettings } from "../settings/shown.ts";
import type { Settings } from "../settings/table.ts";
import { openTraces, type Traces } from "../tracing/traces.ts";
import { VERSION } from "../version.ts";
import { adapterRegistry } from "./adapters.ts";
import { fixedAnswers } from "./fixed.ts";
import { simulationOf } from "./machine.ts";
import { kvEventFeed, kvEventsConfig, type Observers, observe } from "./observers.ts";
import { optional } from "./optional.ts";
import { type Closable, makeRanks, type Rank } from "./ranks.ts";
import { reportOnce } from "./report-once.ts";
import { type Served, whatIsServed } from "./served.ts";
import { tokenizerInfo } from "./sources.ts";
import { speculativeConfig } from "./speculation.ts";
import { openNeffFolder, type SimulatedStart, simulatedStart } from "./start-up.ts";
import { type Text, textOf } from "./text.ts";
import { bundledModel } from "./words.ts";

export interface World {
  readonly model: Model;
  readonly device: Device;
  readonly serving: Serving;
  readonly metrics: Metrics;
  /** Present with `--kv-events-config`. */
  readonly kvEvents?: KvEventFeed;
  /** Present with `--matches`. */
  readonly fixed?: FixedAnswers;
  /** Of a server that embeds texts and generates none. */
  readonly pooler?: Pooler;
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

/**
 * Throws SettingsError, or the model's and the device's own errors, which name
 * what is wrong; what was started until then is closed, so that the process can end.
 */
export async function buildWorld(
  given: Settings,
  report?: Report,
  onLoading?: OnLoading,
): Promise<World> {
  const opened: Closable[] = [];
  try {
    return await build(given, opened, { report, onLoading });
  } catch (error) {
    await Promise.allSettled(opened.map((part) => part.close()));
    throw error;
  }
}

/** Told while weights are loaded, of `total` parts. */
export type OnLoading = (done: number, total: number) => void;

async function build(
  given: Settings,
  opened: Closable[],
  {
    report,
    onLoading,
  }: {
    readonly report: Report | undefined;
    readonly onLoading: OnLoading | undefined;
  },
): Promise<World> {
  const { startup, timed } = stopwatch();
  const clock = new RealClock();
  const served = await timed("model", () => whatIsServed(given));
  const { settings, model, simulated } = served;
  const drafting = speculativeConfig(settings);
  const kvEvents = kvEventsConfig(settings);
  const profiling = readProfilerConfig(settings["profiler-config"]);
  const folder = simulated ? openNeffFolder(settings["neff-cache"]) : undefined;
  const ranks = await timed("device", () =>
    makeRanks(served, {
      clock,
      drafting,
      kvEvents: kvEvents !== undefined,
      onListenerError: reportOnce(report),
      opened,
      ...optional("onLoading", onLoading),
    }),
  );
  await timed("tokenizer", () => served.probed);
  const { device } = ranks[0];
  const text = textOf(served, device);
  const names = servedNames(settings, given.model);
  const adapters = await adapterRegistry(settings, ranks, names);
  const fixed = await fixedAnswers(settings, text);
  const start = simulatedStart(device, { settings, folder });
  const feed = await kvEventFeed(kvEvents, ranks, settings);
  const group = new Engines(
    ranks.map(({ engine }) => engine),
    report,
  );
  const [modelName] = names;
  const maxDrafted = drafting?.maxTokens;
  const traces = await openTraces(settings, clock);
  const observers = observe({
    ...{ settings, ranks, clock, modelName, start, maxDrafted, profiling, adapters },
  });
  return {
    model,
    device,
    serving: servingOf(served, text, {
      ...{ names, root: given.model ?? modelName, clock, group },
      ...{ ranks, observers, traces, kvEvents, adapters },
    }),
    metrics: observers.metrics,
    startup,
    notes: [...served.notes, ...text.notes],
    ...optional("kvEvents", feed),
    ...optional("fixed", fixed),
    ...optional("pooler", poolerOf(served, device)),
    ...optional("simulatedStart", start),
    close: async () => {
      await group.close();
      await traces?.close();
      await feed?.close();
      await text.planner.close();
      await text.templates.close();
    },
  };
}

/** Times parts of the start, in milliseconds. */
function stopwatch() {
  const startup: Record<string, number> = {};
  const timed = async <T>(name: string, make: () => Promise<T>): Promise<T> => {
    const began = performance.now();
    const made = await make();
    startup[name] = Math.round(performance.now() - began);
    return made;
  };
  return { startup, timed };
}

interface Running {
  readonly names: ModelNames;
  readonly root: string;
  readonly clock: Clock;
  readonly group: Engines;
  readonly ranks: readonly [Rank, ...Rank[]];
  readonly observers: Observers;
  readonly traces: Traces | undefined;
  readonly kvEvents: KvEventsConfig | undefined;
  readonly adapters: AdapterRegistry | undefined;
}

/** All that routes read. */
function servingOf(served: Served, text: Text, running: Running): Serving {
  const { settings, model, words, source } = served;
  const { names, root, clock, group, ranks, observers, traces, kvEvents } = running;
  const { device, engine } = ranks[0];
  const { notes: _notes, ...spoken } = text;
  const { metrics, receipts, profiler, history } = observers;
  return {
    ...spoken,
    names,
    root,
    created: Math.floor(Date.now() / 1000),
    maxModelLen: engine.maxContext,
    kvBlockSize: device.limits.blockSize,
    ...optional("simulation", simulationOf(device, { model, words })),
    ...optional("trust", device.machine?.trust),
    ...optional("tokenizerInfo", tokenizerInfo(settings.tokenizer ?? words?.source ?? source)),
    fingerprint: fingerprint(settings),
    modelConfig: model.config,
    settings,
    engines: group,
    clock,
    ...(kvEvents && {
      kvEventSources: Object.fromEntries(
        ranks.map(({ rank }) => [String(rank), kvEventSource(kvEvents, rank)]),
      ),
    }),
    ...optional("adapters", running.adapters),
    ...optional("profiler", profiler),
    ...optional("receipts", receipts),
    ...optional("history", history),
    ...optional("traces", traces),
    submitted: (...told) => metrics.submitted(...told),
    refused: (limit) => metrics.frontend.refused(limit),
    parsedTools: (parse) => metrics.frontend.parsedTools(parse),
  };
}

/** As the flag says, else as the model was named; the bundled one goes by its folder. */
function servedNames(settings: Settings, model: string | undefined): ModelNames {
  const [first = model ?? basename(bundledModel()), ...more] = settings["served-model-name"];
  return [first, ...more];
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
