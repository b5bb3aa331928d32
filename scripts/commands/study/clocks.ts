/** One workload of 200 requests under the wall and under virtual time: equal ids, durations within 0.5 %. */

import type { Nanos } from "../../../device/clock.ts";
import { RealClock } from "../../../device/clocks/real.ts";
import { VirtualClock } from "../../../device/clocks/virtual.ts";
import { createDevice } from "../../../device/registry.ts";
import { Engine } from "../../../engine/engine.ts";
import { TokenSampler } from "../../../engine/sample/sampler.ts";
import { DEFAULT_SAMPLING } from "../../../engine/sequence.ts";
import { sha256 } from "../../../server/sha256.ts";
import { table } from "../../report/table.ts";
import { studyModel } from "./model.ts";
import type { Study } from "./study.ts";

const REQUESTS = 200;
const GAP_NANOS = 60e6;
const TOLERANCE = 0.005;

/** What the requests came to under a clock. */
export interface Run {
  /** Output ids of each request, by the engine's number of it. */
  readonly ids: Readonly<Record<number, readonly number[]>>;
  /** From the first submission to the last end. */
  readonly nanos: Nanos;
  readonly hostSeconds: number;
}

export const clocksStudy: Study = async (print) => {
  const virtual = await runRequests(new VirtualClock(), REQUESTS);
  const real = await runRequests(new RealClock(), REQUESTS);
  print(
    `${REQUESTS} requests of 40–440 tokens in and 4–40 out, Llama-3.2-1B, TP 4 on trn2.3xlarge:\n`,
  );
  print(
    table([
      ["clock", "simulated s", "host s"],
      ["virtual", (virtual.nanos / 1e9).toFixed(4), virtual.hostSeconds.toFixed(2)],
      ["real", (real.nanos / 1e9).toFixed(4), real.hostSeconds.toFixed(2)],
    ]),
  );
  const { equal, ratio, good } = compareRuns(virtual, real);
  print(
    `\nids equal: ${equal}; real ÷ virtual duration ${ratio.toFixed(5)} (may be off by ${TOLERANCE})`,
  );
  return good ? 0 : 1;
};

export function compareRuns(virtual: Run, real: Run) {
  const ratio = real.nanos / virtual.nanos;
  const equal = JSON.stringify(real.ids) === JSON.stringify(virtual.ids);
  return { equal, ratio, good: equal && Math.abs(ratio - 1) <= TOLERANCE };
}

/** `count` requests, 60 ms apart, of lengths by their number. */
export async function runRequests(clock: RealClock | VirtualClock, count: number): Promise<Run> {
  const sampler = new TokenSampler({});
  const device = await createDevice("trainium", {
    model: studyModel("meta-llama/Llama-3.2-1B-Instruct"),
    clock,
    sampler,
    tensorParallelSize: 4,
    maxRows: 16,
    maxContext: 2048,
    seed: 1,
    own: { instance: "trn2.3xlarge" },
  });
  const engine = new Engine(
    { device, clock, sampler, sha256 },
    { maxNumSeqs: 16, maxNumBatchedTokens: 2048 },
  );
  const ids: Record<number, number[]> = {};
  let ended = 0;
  let last = 0;
  let start = 0;
  const began = process.hrtime.bigint();
  await new Promise<void>((resolve) => {
    engine.subscribe((event) => {
      if (event.type === "tokens-emitted") {
        const its = ids[event.id] ?? [];
        its.push(...event.tokens);
        ids[event.id] = its;
      }
      if (event.type !== "request-finished") return;
      last = event.at;
      if (++ended === count) resolve();
    });
    start = clock.now();
    for (let index = 0; index < count; index++) {
      clock.at(start + index * GAP_NANOS, () => {
        const prompt = Int32Array.from(
          { length: 40 + ((index * 97) % 400) },
          (_, at) => (at * 31 + index) % 5000,
        );
        const params = {
          ...DEFAULT_SAMPLING,
          temperature: 0,
          ignoreEos: true,
          maxTokens: 4 + ((index * 13) % 37),
        };
        engine.submit({ prompt, params });
      });
    }
    if (clock instanceof VirtualClock) clock.run().catch(() => {});
  });
  const hostSeconds = Number(process.hrtime.bigint() - began) / 1e9;
  await engine.close();
  return { ids, nanos: last - start, hostSeconds };
}
