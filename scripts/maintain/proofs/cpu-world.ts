/** The bundled model on the cpu device under an engine, in this process and real time. */

import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { RealClock } from "../../../device/clocks/real.ts";
import type { BatchRow, PositionLogprobs, Sampled, Sampler } from "../../../device/device.ts";
import { createDevice } from "../../../device/registry.ts";
import type { DeviceSettings } from "../../../device/settings.ts";
import { Engine } from "../../../engine/engine.ts";
import type { EngineOptions } from "../../../engine/options.ts";
import { TokenSampler } from "../../../engine/sample/sampler.ts";
import type { GenerationRequest } from "../../../engine/sequence.ts";
import { DEFAULT_SAMPLING } from "../../../engine/sequence.ts";
import { loadModel } from "../../../models/load.ts";
import type { Model } from "../../../models/model.ts";
import { projectPath } from "../../../models/weights/project-files.ts";
import { sha256 } from "../../../server/sha256.ts";
import { seeded } from "./proof.ts";

export interface CpuWorld {
  readonly engine: Engine;
  readonly clock: RealClock;
  /** Hash of the logits that each sequence saw, by position of what they predict. */
  readonly logits: ReadonlyMap<number, ReadonlyMap<number, string>>;
  readonly vocabSize: number;
  close(): Promise<void>;
}

export function bundledFolder(): string {
  const folders = ["trainyard-tiny", "trainyard-draft"].map((name) =>
    projectPath("models", "bundled", name),
  );
  const found = folders.find(existsSync);
  if (found === undefined) throw new Error("No model is bundled.");
  return found;
}

export async function cpuWorld(
  settings: Partial<DeviceSettings>,
  options: Partial<EngineOptions>,
  of: { readonly hashLogits?: boolean; readonly model?: Model } = {},
): Promise<CpuWorld> {
  const clock = new RealClock();
  const sampler = new TokenSampler();
  const watch = new HashingSampler(sampler);
  const model = of.model ?? (await loadModel(bundledFolder()));
  const device = await createDevice("cpu", {
    model,
    clock,
    sampler: of.hashLogits ? watch : sampler,
    tensorParallelSize: 1,
    seed: 0,
    own: {},
    ...settings,
  });
  const { limits } = device;
  const engine = new Engine(
    { device, clock, sampler, sha256 },
    { maxNumSeqs: limits.maxRows, maxNumBatchedTokens: limits.maxTokens, ...options },
  );
  return {
    engine,
    clock,
    logits: watch.seen,
    vocabSize: device.vocabSize,
    close: () => engine.close(),
  };
}

/** Requests that repeat with the seed: lengths vary, beginnings are shared, half are drawn. */
export function randomRequests(
  count: number,
  of: { readonly vocabSize: number; readonly prompt: number; readonly output: number },
): readonly GenerationRequest[] {
  const random = seeded(20261123);
  const below = (limit: number): number => Math.floor(random() * limit);
  return Array.from({ length: count }, (_, index) => {
    const stem = below(5);
    const prompt = Array.from({ length: 1 + below(of.prompt) }, (_, at) =>
      at < 40 ? (stem * 97 + at * 7) % of.vocabSize : below(of.vocabSize),
    );
    return {
      prompt,
      params: {
        ...DEFAULT_SAMPLING,
        maxTokens: 1 + below(of.output),
        ignoreEos: true,
        temperature: index % 2 === 0 ? 0 : 0.9,
        seed: index,
      },
    };
  });
}

/** Passes on to the engine's sampler and keeps a hash of what it was shown. */
class HashingSampler implements Sampler {
  readonly seen = new Map<number, Map<number, string>>();
  readonly #inner: Sampler;

  constructor(inner: Sampler) {
    this.#inner = inner;
  }

  sample(row: BatchRow, logits: Float32Array): Sampled {
    const own = this.seen.get(row.id) ?? new Map<number, string>();
    this.seen.set(row.id, own);
    const bytes = new Uint8Array(logits.buffer, logits.byteOffset, logits.byteLength);
    own.set(row.start + row.count, createHash("sha1").update(bytes).digest("base64"));
    return this.#inner.sample(row, logits);
  }

  prompt(...asked: Parameters<Sampler["prompt"]>): readonly PositionLogprobs[] {
    return this.#inner.prompt(...asked);
  }
}
