/** Greedy runs through the real engine on the cpu device, with the logits it saw. */

import { RealClock } from "../../device/clocks/real.ts";
import type {
  Adapter,
  BatchRow,
  Device,
  PositionLogprobs,
  Sampled,
  Sampler,
} from "../../device/device.ts";
import { createDevice } from "../../device/registry.ts";
import type { AdapterSettings } from "../../device/settings.ts";
import { Engine } from "../../engine/engine.ts";
import type { EngineEvent } from "../../engine/events.ts";
import { TokenSampler } from "../../engine/sample/sampler.ts";
import { DEFAULT_SAMPLING, type SamplingParams } from "../../engine/sequence.ts";
import { loadModel } from "../../models/load.ts";
import { sha256 } from "../../server/sha256.ts";

export interface GreedySetup {
  readonly ranks?: number;
  readonly blockSize?: number;
  readonly blocks?: number;
  /** Tokens in a step. */
  readonly maxTokens?: number;
  readonly quantization?: string;
  readonly adapters?: AdapterSettings;
  /** Flags of the device's own. */
  readonly own?: Readonly<Record<string, unknown>>;
}

/** What one prompt gave. */
export interface GreedyRun {
  readonly outputs: readonly number[];
  readonly firstLogits: Float32Array;
  readonly lastLogits: Float32Array;
  /** Prompt tokens found in the prefix cache. */
  readonly cachedTokens: number;
  readonly reason: string;
}

/** Passes on to the engine's sampler; keeps the first and the last logits of each sequence. */
class WatchingSampler implements Sampler {
  readonly seen = new Map<number, { first: Float32Array; last: Float32Array }>();
  readonly #inner: Sampler;

  constructor(inner: Sampler) {
    this.#inner = inner;
  }

  sample(row: BatchRow, logits: Float32Array): Sampled {
    const last = logits.slice();
    this.seen.set(row.id, { first: this.seen.get(row.id)?.first ?? last, last });
    return this.#inner.sample(row, logits);
  }

  prompt(...asked: Parameters<Sampler["prompt"]>): readonly PositionLogprobs[] {
    return this.#inner.prompt(...asked);
  }
}

export class GreedyEngine {
  readonly engine: Engine;
  readonly device: Device;
  readonly events: EngineEvent[] = [];
  readonly #watch: WatchingSampler;

  constructor(engine: Engine, device: Device, watch: WatchingSampler) {
    this.engine = engine;
    this.device = device;
    this.#watch = watch;
    engine.subscribe((event) => this.events.push(event));
  }

  static async start(folder: string, setup: GreedySetup = {}): Promise<GreedyEngine> {
    const clock = new RealClock();
    const sampler = new TokenSampler({ seed: 0 });
    const watch = new WatchingSampler(sampler);
    const { ranks = 1, ...limits } = setup;
    const device = await createDevice("cpu", {
      model: await loadModel(folder),
      clock,
      sampler: watch,
      tensorParallelSize: ranks,
      maxRows: 16,
      maxContext: 256,
      maxTokens: 512,
      seed: 0,
      own: {},
      ...limits,
    });
    const options = { maxNumSeqs: 16, maxNumBatchedTokens: device.limits.maxTokens };
    const engine = new Engine({ device, clock, sampler, sha256 }, options);
    return new GreedyEngine(engine, device, watch);
  }

  /** All prompts at once; `length` ids each, whatever they are. */
  run(
    prompts: readonly (readonly number[])[],
    length: number,
    params: Partial<SamplingParams> = {},
  ): Promise<readonly GreedyRun[]> {
    return this.adapted(
      prompts.map((prompt) => ({ prompt })),
      length,
      params,
    );
  }

  /** The same of prompts that may name an adapter. */
  async adapted(
    prompts: readonly { readonly prompt: readonly number[]; readonly adapter?: Adapter }[],
    length: number,
    params: Partial<SamplingParams> = {},
  ): Promise<readonly GreedyRun[]> {
    const begin = this.events.length;
    const ids = prompts.flatMap((asked) =>
      this.engine.submit({
        ...asked,
        params: {
          ...DEFAULT_SAMPLING,
          temperature: 0,
          maxTokens: length,
          ignoreEos: true,
          ...params,
        },
      }),
    );
    await this.engine.idle();
    this.engine.check();
    const events = this.events.slice(begin);
    return ids.map((id) => this.#gather(id, events));
  }

  count(type: EngineEvent["type"]): number {
    return this.events.filter((event) => event.type === type).length;
  }

  close(): Promise<void> {
    return this.engine.close();
  }

  #gather(id: number, events: readonly EngineEvent[]): GreedyRun {
    const outputs: number[] = [];
    let cachedTokens = 0;
    let reason = "none";
    for (const event of events) {
      if (event.type === "step-failed") throw event.error;
      if (!("id" in event) || event.id !== id) continue;
      if (event.type === "tokens-emitted") outputs.push(...event.tokens);
      if (event.type === "request-finished") {
        if (event.error) throw event.error;
        ({ cachedTokens, reason } = event);
      }
    }
    const logits = this.#watch.seen.get(id);
    if (!logits) throw new Error(`sequence ${id} was never sampled`);
    return { outputs, firstLogits: logits.first, lastLogits: logits.last, cachedTokens, reason };
  }
}
