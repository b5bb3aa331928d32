/**
 * What two steps in flight gain: output ids a second at 16 streams with one and
 * with two, on the cpu device (real time, words decoded meanwhile) and on the
 * simulated device (virtual time). Ids must be equal.
 *
 *     npx tsx scripts/maintain/bench/overlap.ts [--model DIR] [--catalog ID] [--rounds N]
 */

import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { Clock } from "../../../device/clock.ts";
import { RealClock } from "../../../device/clocks/real.ts";
import { VirtualClock } from "../../../device/clocks/virtual.ts";
import { createDevice } from "../../../device/registry.ts";
import { Engine } from "../../../engine/engine.ts";
import { TokenSampler } from "../../../engine/sample/sampler.ts";
import { DEFAULT_SAMPLING } from "../../../engine/sequence.ts";
import { loadModel } from "../../../models/load.ts";
import type { Decoder, Model } from "../../../models/model.ts";
import { sha256 } from "../../../server/sha256.ts";

const { values: flags } = parseArgs({
  options: {
    model: {
      type: "string",
      default: fileURLToPath(new URL("../../../models/bundled/trainyard-draft", import.meta.url)),
    },
    catalog: { type: "string", default: "meta-llama/Llama-3.1-8B-Instruct" },
    rounds: { type: "string", default: "7" },
  },
});

const STREAMS = 16;
const TOKENS = 128;

interface World {
  readonly engine: Engine;
  /** Ids of all sequences so far, in order of emission. */
  readonly ids: Map<number, number[]>;
  readonly submit: () => void;
}

async function world(of: {
  readonly device: string;
  readonly model: Model;
  readonly clock: Clock;
  readonly inFlight: 1 | 2;
}): Promise<World> {
  const { model, clock } = of;
  const sampler = new TokenSampler();
  const device = await createDevice(of.device, {
    model,
    clock,
    sampler,
    tensorParallelSize: of.device === "trainium" ? 4 : 1,
    maxRows: STREAMS,
    maxTokens: 512,
    maxContext: Math.min(1024, model.architecture.maxContext),
    inFlight: of.inFlight,
    seed: 0,
    own: of.device === "trainium" ? { "async-scheduling": of.inFlight === 2 } : {},
  });
  const engine = new Engine(
    { device, clock, sampler, sha256 },
    {
      maxNumSeqs: STREAMS,
      maxNumBatchedTokens: device.limits.maxTokens,
      enablePrefixCaching: false,
    },
  );
  const ids = new Map<number, number[]>();
  const decoders = new Map<number, Decoder>();
  engine.subscribe((event) => {
    if (event.type !== "tokens-emitted") return;
    ids.set(event.id, [...(ids.get(event.id) ?? []), ...event.tokens]);
    const decoder = decoders.get(event.id) ?? model.tokenizer?.decoder();
    if (decoder === undefined) return;
    decoders.set(event.id, decoder);
    for (const id of event.tokens) decoder.push(id); // the work that overlap hides
  });
  const params = { ...DEFAULT_SAMPLING, temperature: 0, maxTokens: TOKENS, ignoreEos: true };
  const submit = (): void => {
    for (let i = 0; i < STREAMS; i++) {
      engine.submit({
        prompt: Int32Array.from({ length: 16 }, (_, at) => 10 + i + 7 * at),
        params,
      });
    }
  };
  return { engine, ids, submit };
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;
}

function report(name: string, one: number, two: number, equal: boolean): void {
  const gain = (two / one).toFixed(3);
  const ids = equal ? "ids equal" : "IDS DIFFER";
  process.stdout.write(
    `${name.padEnd(10)} one in flight ${one.toFixed(0).padStart(6)} ids/s   two ${two.toFixed(0).padStart(6)}   ${gain}x   ${ids}\n`,
  );
  if (!equal) process.exitCode = 1;
}

async function onCpu(): Promise<void> {
  const model = await loadModel(flags.model);
  const clock = new RealClock();
  const worlds: World[] = [];
  for (const inFlight of [1, 2] as const) {
    worlds.push(await world({ device: "cpu", model, clock, inFlight }));
  }
  const rates: number[][] = [[], []];
  for (let round = 0; round <= Number(flags.rounds); round++) {
    for (const [index, { engine, submit }] of worlds.entries()) {
      const start = clock.now();
      submit();
      await engine.idle();
      if (round > 0) rates[index]?.push((STREAMS * TOKENS) / ((clock.now() - start) / 1e9));
    }
  }
  const [one, two] = worlds.map(({ ids }) => JSON.stringify([...ids]));
  report("cpu", median(rates[0] ?? []), median(rates[1] ?? []), one === two);
  for (const { engine } of worlds) await engine.close();
}

async function onTrainium(): Promise<void> {
  const model = await loadModel(flags.catalog);
  const rates: number[] = [];
  const texts: string[] = [];
  for (const inFlight of [1, 2] as const) {
    const clock = new VirtualClock();
    const { ids, submit } = await world({ device: "trainium", model, clock, inFlight });
    submit();
    await clock.run();
    rates.push((STREAMS * TOKENS) / (clock.now() / 1e9));
    texts.push(JSON.stringify([...ids]));
  }
  report("trainium", rates[0] ?? 0, rates[1] ?? 0, texts[0] === texts[1]);
}

await onCpu();
await onTrainium();
