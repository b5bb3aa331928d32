import { describe, expect, it } from "vitest";
import type { Nanos } from "../../../device/clock.ts";
import { VirtualClock } from "../../../device/clocks/virtual.ts";
import type { Batch, Device } from "../../../device/device.ts";
import { NullDevice } from "../../../device/null/device.ts";
import { createDevice } from "../../../device/registry.ts";
import { TokenSampler } from "../../../engine/sample/sampler.ts";
import { catalogueModel } from "../../support/catalogue.ts";

/** A clock whose host is busy: what is to come when all is settled comes when told to. */
class BusyClock extends VirtualClock {
  readonly waiting: { readonly step: Nanos; readonly run: () => void }[] = [];

  override settled(step: Nanos, run: () => void): void {
    this.waiting.push({ step, run });
  }
}

const batch = (step: number, tokens: number): Batch => ({
  step,
  rows: [
    {
      id: 1,
      context: Int32Array.from({ length: tokens }, (_, at) => at),
      start: 0,
      count: tokens,
      drafted: 0,
      blocks: [0, 1, 2, 3],
      want: "last",
    },
  ],
  copies: [],
});

/** Notes what it is told. */
function noting(clock: VirtualClock, told: string[]): Device {
  const limits = {
    blockSize: 16,
    blocks: 64,
    maxRows: 4,
    maxTokens: 1024,
    maxContext: 1024,
    maxDrafted: 0,
    inFlight: 2 as const,
  };
  const inner = new NullDevice({ clock, sampler: new TokenSampler({}), vocabSize: 50, limits });
  const { execute, release } = inner;
  inner.execute = (given, done) => {
    told.push(`step ${given.step}`);
    execute.call(inner, given, done);
  };
  inner.release = (ids) => {
    told.push(`release ${ids.join()}`);
    release.call(inner, ids);
  };
  return inner;
}

describe("what a simulated device tells its inner device", () => {
  it("stays in order, whichever timer comes first", async () => {
    const clock = new BusyClock();
    const told: string[] = [];
    const device = await createDevice("trainium", {
      model: catalogueModel("meta-llama/Llama-3.2-1B-Instruct"),
      clock,
      sampler: new TokenSampler({}),
      tensorParallelSize: 4,
      maxRows: 4,
      maxContext: 1024,
      seed: 3,
      inner: noting(clock, told),
      own: { instance: "trn2.3xlarge" },
    });
    device.execute(batch(0, 60), () => {});
    device.execute(batch(1, 61), () => {});
    device.release([1]);
    expect(told).toEqual([]);
    const [first, second, third] = clock.waiting;
    for (const timer of [third, second, first]) timer?.run();
    expect(told).toEqual(["step 0", "step 1", "release 1"]);
    device.release([2]);
    expect(told.at(-1)).toBe("release 2");
  });
});
