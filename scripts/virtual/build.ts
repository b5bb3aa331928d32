/**
 * A simulated system in virtual time: one clock, one engine a data-parallel
 * replica, built as the server builds them and never listening.
 *
 *     clock → model → sampler → device → engine    × replicas
 *
 * Whatever Node is needed for comes from outside (`World`): system.ts has Node's,
 * the pages' worker one of its own.
 */

import type { Nanos } from "../../device/clock.ts";
import { VirtualClock } from "../../device/clocks/virtual.ts";
import type { Device } from "../../device/device.ts";
import { simulateHeads } from "../../device/heads.ts";
import type { DeviceSettings } from "../../device/settings.ts";
import { TrainiumDevice } from "../../device/trainium/device.ts";
import { type KvLink, transferNanos } from "../../device/trainium/price/transfer.ts";
import { Engine, type EngineParts } from "../../engine/engine.ts";
import { TokenSampler } from "../../engine/sample/sampler.ts";
import {
  createProposer,
  readSpeculativeConfig,
  type SpeculativeConfig,
} from "../../engine/speculate/registry.ts";
import type { Speculation } from "../../engine/speculate/speculation.ts";
import type { Model } from "../../models/model.ts";
import { Disaggregated, type Served } from "./disaggregated.ts";
import { withBlocks } from "./endless-cache.ts";

/** All that tells one simulated system from another. Plain data: it keys saved results. */
export interface SystemSpec {
  readonly model: string;
  /** As in the device registry. */
  readonly device: string;
  /** Empty: the device's default. */
  readonly instance: string;
  readonly tensorParallel: number;
  readonly dataParallel: number;
  readonly expertParallel: boolean;
  /** As `--neuron-kernels`; empty: the device's default. */
  readonly kernels: string;
  /** Further flags of the device, kebab-case. */
  readonly own: Readonly<Record<string, string | number | boolean>>;
  /** A replica's. */
  readonly maxNumSeqs: number;
  readonly maxModelLen: number;
  /** Absent: the device's own. */
  readonly maxNumBatchedTokens?: number;
  readonly blockSize?: number;
  readonly blocks?: number;
  readonly quantization?: string;
  /** As `--speculative-config`: JSON. Absent: none. */
  readonly speculative?: string;
  readonly prefixCaching: boolean;
  readonly seed: number;
  /** Engines for prompts alone: the spec's own then only decode. Absent: the same do both. */
  readonly prefill?: PrefillSpec;
}

/** Where engines that compute prompts differ from those that decode. */
export interface PrefillSpec {
  readonly workers: number;
  readonly instance: string;
  readonly tensorParallel: number;
  readonly kernels: string;
  /** Absent: as those that decode. */
  readonly expertParallel?: boolean;
  readonly own: SystemSpec["own"];
  /** Rows of each. */
  readonly maxNumSeqs: number;
  /** What carries K and V to the engines that decode. */
  readonly link: KvLink;
}

/** One engine with its device, or several that look like one; engines of a system may be unlike. */
export interface VirtualEngine {
  readonly spec: SystemSpec;
  readonly engine: Served;
  /** Of one that decodes. */
  readonly device: Device;
}

interface BuiltEngine extends VirtualEngine {
  readonly engine: Engine;
}

/** A list of engines on one clock: replicas of one spec, or of several. */
export interface VirtualSystem {
  /** What the system as a whole is called and keyed by. */
  readonly spec: SystemSpec;
  readonly clock: VirtualClock;
  readonly model: Model;
  /** Never empty. */
  readonly engines: readonly VirtualEngine[];
  close(): Promise<void>;
}

export interface BuildOptions {
  /** Loaded already. */
  readonly model?: Model;
  /** Price steps one by one; same results, slower. Absent: in runs, up to the next event. */
  readonly singleSteps?: boolean;
  /** KV blocks of a pool without limit; absent: what fits the memory. */
  readonly endlessBlocks?: number;
}

/** Where models, devices and hashes come from. */
export interface World {
  loadModel(source: string): Promise<Model>;
  createDevice(name: string, settings: DeviceSettings): Promise<Device>;
  /** Of prefix caching alone. */
  readonly sha256: EngineParts["sha256"];
}

/** Replicas of one spec. Throws what the device refuses (does not fit, TP does not divide) with its own words. */
export async function buildSystemIn(
  world: World,
  spec: SystemSpec,
  build: BuildOptions = {},
): Promise<VirtualSystem> {
  const list = new Array<SystemSpec>(spec.dataParallel).fill(spec);
  if (spec.prefill === undefined) return buildEnginesIn(world, spec, list, build);
  const model = build.model ?? (await world.loadModel(spec.model));
  const clock = new VirtualClock();
  const apart = await buildApart(
    { spec, prefill: spec.prefill, list },
    { world, model, clock, build },
  );
  return systemOf({ spec, clock, model, engines: [apart] });
}

/** Prefillers and decoders, joined. */
async function buildApart(
  { spec, prefill, list }: ApartSpecs,
  around: Around,
): Promise<VirtualEngine> {
  const { clock } = around;
  const decoders: BuiltEngine[] = [];
  for (const each of list) decoders.push(await buildEngine(each, around));
  const prefillers: BuiltEngine[] = [];
  for (let worker = 0; worker < prefill.workers; worker++)
    prefillers.push(await buildEngine(prefillSpec(spec, prefill), around));
  const from = prefillers[0]?.device;
  const to = decoders[0]?.device;
  if (!(from instanceof TrainiumDevice && to instanceof TrainiumDevice))
    throw new Error("Only --device trainium has engines for prompts alone.");
  const transfer = (tokens: number): Nanos =>
    transferNanos(from.plan, to.plan, tokens, prefill.link);
  const engine = new Disaggregated({ clock, prefillers, decoders, transfer });
  return { spec, engine, device: to };
}

interface ApartSpecs {
  readonly spec: SystemSpec;
  readonly prefill: PrefillSpec;
  readonly list: readonly SystemSpec[];
}

/** One of its engines for prompts, as a spec of its own. */
export function prefillSpec(spec: SystemSpec, prefill: PrefillSpec): SystemSpec {
  const { prefill: _prefill, speculative: _speculative, ...rest } = spec;
  const { instance, tensorParallel, kernels, maxNumSeqs } = prefill;
  const expertParallel = prefill.expertParallel ?? spec.expertParallel;
  const own = { ...spec.own, ...prefill.own };
  const changed = { instance, tensorParallel, expertParallel, kernels, maxNumSeqs, own };
  return { ...rest, ...changed, dataParallel: 1 };
}

/** An engine for each entry of the list, all of one model and on one clock. */
export async function buildEnginesIn(
  world: World,
  spec: SystemSpec,
  list: readonly SystemSpec[],
  build: BuildOptions = {},
): Promise<VirtualSystem> {
  const model = build.model ?? (await world.loadModel(spec.model));
  const clock = new VirtualClock();
  const engines: VirtualEngine[] = [];
  for (const each of list) engines.push(await buildEngine(each, { world, model, clock, build }));
  return systemOf({ spec, clock, model, engines });
}

function systemOf(parts: Omit<VirtualSystem, "close">): VirtualSystem {
  const { clock, engines } = parts;
  return {
    ...parts,
    close: async () => {
      // Engines close their devices; what is still in the heap runs out first.
      const closing = engines.map(({ engine }) => engine.close());
      await clock.run();
      await Promise.all(closing);
    },
  };
}

/** What all engines of a system have around them. */
interface Around {
  readonly world: World;
  readonly model: Model;
  readonly clock: VirtualClock;
  readonly build: BuildOptions;
}

async function buildEngine(
  spec: SystemSpec,
  { world, model, clock, build }: Around,
): Promise<BuiltEngine> {
  const speculative = speculativeOf(spec);
  const sampler = new TokenSampler({ seed: spec.seed });
  const device = await world.createDevice(spec.device, {
    model,
    clock,
    sampler,
    tensorParallelSize: spec.tensorParallel,
    maxRows: spec.maxNumSeqs,
    maxContext: spec.maxModelLen,
    seed: spec.seed,
    own: ownFlags(spec),
    ...(speculative === undefined ? {} : { maxDrafted: speculative.maxTokens }),
    ...(spec.maxNumBatchedTokens === undefined ? {} : { maxTokens: spec.maxNumBatchedTokens }),
    ...(spec.blockSize === undefined ? {} : { blockSize: spec.blockSize }),
    ...(spec.blocks === undefined ? {} : { blocks: spec.blocks }),
    ...(spec.quantization === undefined ? {} : { quantization: spec.quantization }),
  });
  const pooled =
    build.endlessBlocks === undefined ? device : withBlocks(device, build.endlessBlocks);
  const engine = new Engine(
    { device: pooled, clock, sampler, sha256: world.sha256 },
    {
      maxNumSeqs: spec.maxNumSeqs,
      maxNumBatchedTokens: spec.maxNumBatchedTokens ?? device.limits.maxTokens,
      enablePrefixCaching: spec.prefixCaching,
      repeat: build.singleSteps === true ? false : "alone",
      seed: spec.seed,
      ...(speculative === undefined
        ? {}
        : { speculative: await speculationOn(device, speculative, spec.seed) }),
    },
  );
  return { spec, engine, device };
}

/** Throws what is wrong with the JSON or its keys. */
export function speculativeOf(spec: SystemSpec): SpeculativeConfig | undefined {
  if (spec.speculative === undefined) return undefined;
  const keys: unknown = JSON.parse(spec.speculative);
  if (typeof keys !== "object" || keys === null) {
    throw new Error(`--speculative-config must be a JSON object, not ${spec.speculative}.`);
  }
  return readSpeculativeConfig(keys as Readonly<Record<string, unknown>>); // checked key by key there
}

async function speculationOn(
  device: Device,
  config: SpeculativeConfig,
  seed: number,
): Promise<Speculation> {
  const target = simulateHeads(device, { acceptance: config.acceptance, seed });
  const proposer = await createProposer({ config, target });
  return { proposer, maxTokens: config.maxTokens, adaptive: config.adaptive };
}

/** The device's own flags, as the command line would give them. */
export function ownFlags(spec: SystemSpec): Readonly<Record<string, string | number | boolean>> {
  return {
    ...spec.own,
    ...(spec.instance === "" ? {} : { instance: spec.instance }),
    ...(spec.kernels === "" ? {} : { "neuron-kernels": spec.kernels }),
    ...(spec.expertParallel ? { "enable-expert-parallel": true } : {}),
    ...(spec.dataParallel > 1 ? { "data-parallel-size": spec.dataParallel } : {}),
  };
}

/** What tells this system from another, part by part, in words; an empty part is the plain one. */
export function systemParts(spec: SystemSpec): Readonly<Record<string, string>> {
  const speculative = speculativeOf(spec);
  return {
    model: spec.model,
    instance: spec.instance === "" ? spec.device : spec.instance,
    tensorParallel: `TP ${spec.tensorParallel}`,
    dataParallel: spec.dataParallel > 1 ? `DP ${spec.dataParallel}` : "",
    expertParallel: spec.expertParallel ? "EP" : "",
    kernels: spec.kernels,
    quantization: spec.quantization ?? "",
    speculation: speculative === undefined ? "" : `${speculative.method} ${speculative.maxTokens}`,
    own: Object.entries(spec.own)
      .map(([flag, value]) => `${flag}=${String(value)}`)
      .join(" "),
    caching: spec.prefixCaching ? "prefix caching" : "",
    prefill: spec.prefill === undefined ? "" : prefillLabel(spec.prefill),
  };
}

/** `prompts on 2 × trn2.3xlarge TP 4 over efa` */
function prefillLabel(prefill: PrefillSpec): string {
  const { workers, instance, tensorParallel, kernels, own, link } = prefill;
  const words = [
    `TP ${tensorParallel}`,
    prefill.expertParallel === undefined ? "" : `EP ${prefill.expertParallel ? "on" : "off"}`,
    kernels,
    ...Object.entries(own).map((its) => its.join("=")),
  ];
  const where = instance === "" ? "" : `${instance} `;
  return `prompts on ${workers} × ${where}${words.filter((word) => word !== "").join(" ")} over ${link}`;
}

/** All parts but the model's, in a line. */
export function systemLabel(spec: SystemSpec): string {
  const { model: _model, caching: _caching, ...parts } = systemParts(spec);
  return Object.values(parts)
    .filter((part) => part !== "")
    .join(" ");
}
