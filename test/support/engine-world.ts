/** Builds an engine over the null device, and runs requests through it in virtual time. */

import type { Clock, Nanos } from "../../device/clock.ts";
import { VirtualClock } from "../../device/clocks/virtual.ts";
import type { Batch, Device, DeviceLimits, SequenceId, TokenId } from "../../device/device.ts";
import { NullDevice, type NullDeviceOptions } from "../../device/null/device.ts";
import type { OnListenerError } from "../../engine/audience.ts";
import { Engine } from "../../engine/engine.ts";
import type { EngineEvent } from "../../engine/events.ts";
import type { EngineOptions } from "../../engine/options.ts";
import { type SamplerOptions, TokenSampler } from "../../engine/sample/sampler.ts";
import {
  DEFAULT_SAMPLING,
  type GenerationRequest,
  type SamplingParams,
} from "../../engine/sequence.ts";
import { sha256 } from "../../server/sha256.ts";
import { PagedDevice, type Trouble } from "./paged-device.ts";

export const VOCABULARY = 97;

export interface WorldOptions {
  readonly limits?: Partial<DeviceLimits>;
  readonly options?: Partial<EngineOptions>;
  readonly sampler?: SamplerOptions;
  readonly price?: (batch: Batch) => Nanos;
  readonly clock?: Clock;
  readonly values?: "logits" | "ids";
  readonly trouble?: Trouble;
  readonly onListenerError?: OnListenerError;
  /** Absent: the null device. */
  readonly make?: (options: NullDeviceOptions) => Device;
}

export function engineWorld<C extends Clock = VirtualClock>(of: WorldOptions & { clock?: C } = {}) {
  const clock = (of.clock ?? new VirtualClock()) as C;
  const sampler = new TokenSampler(of.sampler);
  const limits: DeviceLimits = {
    blockSize: 4,
    blocks: 256,
    maxRows: 16,
    maxTokens: 64,
    maxContext: 128,
    maxDrafted: 8,
    inFlight: 1,
    ...of.limits,
  };
  const make = of.make ?? ((options: NullDeviceOptions) => new NullDevice(options));
  const inner = make({
    clock,
    sampler,
    limits,
    vocabSize: VOCABULARY,
    seed: 7,
    ...(of.values === undefined ? {} : { values: of.values }),
    price: of.price ?? ((batch) => 1000 + 10 * batch.rows.reduce((sum, row) => sum + row.count, 0)),
  });
  const device = new PagedDevice(inner, of.trouble);
  const engine = new Engine(
    {
      ...{ device, clock, sampler, sha256 },
      ...(of.onListenerError && { onListenerError: of.onListenerError }),
    },
    { maxNumSeqs: 16, maxNumBatchedTokens: 64, ...of.options },
  );
  const events: EngineEvent[] = [];
  engine.subscribe((event) => events.push(event));
  return { clock, sampler, device, engine, events };
}

export function request(
  prompt: readonly TokenId[],
  params: Partial<SamplingParams> = {},
  rest: Partial<GenerationRequest> = {},
): GenerationRequest {
  return { prompt, params: { ...DEFAULT_SAMPLING, ...params }, ...rest };
}

/** Output ids of each sequence. */
export function outputs(events: readonly EngineEvent[]): Map<SequenceId, TokenId[]> {
  const found = new Map<SequenceId, TokenId[]>();
  for (const event of events) {
    if (event.type !== "tokens-emitted") continue;
    found.set(event.id, [...(found.get(event.id) ?? []), ...event.tokens]);
  }
  return found;
}

export function finishes(events: readonly EngineEvent[]) {
  return events.filter((event) => event.type === "request-finished");
}
