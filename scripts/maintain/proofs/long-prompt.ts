/**
 * A prompt of 4,096 tokens comes while eight streams decode: it is computed in
 * pieces beside them, so that no stream waits much longer than a step of the whole
 * budget takes. That step is the first that a prompt of the budget's length makes, from
 * its beginning: later pieces are shorter, since their attention is dearer.
 */

import type { Nanos } from "../../../device/clock.ts";
import { VirtualClock } from "../../../device/clocks/virtual.ts";
import type { SequenceId } from "../../../device/device.ts";
import { NullDevice } from "../../../device/null/device.ts";
import { Engine } from "../../../engine/engine.ts";
import { TokenSampler } from "../../../engine/sample/sampler.ts";
import { DEFAULT_SAMPLING } from "../../../engine/sequence.ts";
import { loadModel } from "../../../models/load.ts";
import { sha256 } from "../../../server/sha256.ts";
import { bundledFolder, cpuWorld } from "./cpu-world.ts";
import type { Proof, Report } from "./proof.ts";
import { median, quantile } from "./proof.ts";

const STREAMS = 8;
const PROMPT = 4096;
const BUDGET = 512;
const CONTEXT = 8192;
const LIMIT_STEPS = 1.5;

export const prove: Proof = async (report) => {
  const scheduled = inVirtualTime();
  report.claim(
    `p99 gap at most ${LIMIT_STEPS} full steps, as scheduled (null device, virtual time)`,
    scheduled <= LIMIT_STEPS,
    `${scheduled.toFixed(2)} steps`,
  );
  await onTheCpu(report);
};

/** Gaps in steps of the whole budget, when a step takes as long as its tokens: what scheduling alone does. */
function inVirtualTime(): number {
  const clock = new VirtualClock();
  const sampler = new TokenSampler();
  const price = (tokens: number): Nanos => 500_000 + 40_000 * tokens;
  const limits = {
    blockSize: 16,
    blocks: 4000,
    maxRows: 16,
    maxTokens: BUDGET,
    maxContext: CONTEXT,
    maxDrafted: 0,
    inFlight: 2,
  } as const;
  const device = new NullDevice({
    clock,
    sampler,
    limits,
    vocabSize: 1000,
    values: "ids",
    price: (batch) => price(batch.rows.reduce((sum, row) => sum + row.count, 0)),
  });
  const engine = new Engine(
    { device, clock, sampler, sha256 },
    { maxNumSeqs: 16, maxNumBatchedTokens: BUDGET },
  );
  const last = new Map<SequenceId, Nanos>();
  const gaps: Nanos[] = [];
  let long: SequenceId | undefined;
  let answered = false;
  engine.subscribe((event) => {
    if (event.type !== "tokens-emitted") return;
    if (event.id === long) answered = true;
    else if (long !== undefined && !answered)
      gaps.push(event.at - (last.get(event.id) ?? event.at));
    last.set(event.id, event.at);
  });
  const params = { ...DEFAULT_SAMPLING, ignoreEos: true, maxTokens: 400 };
  for (let index = 0; index < STREAMS; index++) {
    engine.submit({ prompt: new Int32Array(40).fill(index), params });
  }
  clock.at(50_000_000, () => {
    [long] = engine.submit({ prompt: new Int32Array(PROMPT).fill(99), params });
  });
  clock.runReady();
  return quantile(gaps, 0.99) / price(BUDGET);
}

type CpuWorld = Awaited<ReturnType<typeof cpuWorld>>;

async function onTheCpu(report: Report): Promise<void> {
  const bundled = await loadModel(bundledFolder());
  // Longer than it was trained for: words suffer, time does not.
  const architecture = { ...bundled.architecture, maxContext: CONTEXT };
  const world = await cpuWorld(
    { maxTokens: BUDGET, maxRows: 16, maxContext: CONTEXT, blocks: 1200 },
    {},
    { model: { ...bundled, architecture } },
  );
  const { rounds, steps } = await promptsAmongStreams(world);
  await world.close();
  const plain = steps.filter(({ tokens }) => tokens === STREAMS).map(({ took }) => took);
  const gaps = rounds.flatMap((round) => round.gaps);
  const first = rounds.reduce((sum, round) => sum + round.first, 0) / rounds.length;
  /** Each prompt's p99 gap in its own first steps: a slow moment of the machine is in both. */
  const ratios = rounds.map((round) => quantile(round.gaps, 0.99) / round.whole);
  report.line(
    `${STREAMS} streams, ${rounds.length} prompts of ${PROMPT} in about ${median(rounds.map(({ pieces }) => pieces))} pieces of up to ${BUDGET - STREAMS}: ` +
      `first id after ${first.toFixed(0)} ms; a step of ${STREAMS} tokens ${median(plain).toFixed(1)} ms, ` +
      `the first of ${BUDGET} ${median(rounds.map(({ whole }) => whole)).toFixed(1)} ms`,
  );
  report.claim(
    `p99 gap of the streams at most ${LIMIT_STEPS} such steps`,
    Math.max(...ratios) <= LIMIT_STEPS,
    `${ratios.map((ratio) => ratio.toFixed(2)).join(", ")} steps (gaps: median ${median(gaps).toFixed(1)}, p99 ${quantile(gaps, 0.99).toFixed(1)} ms of ${gaps.length})`,
  );
}

/** One long prompt among the streams. Milliseconds. */
interface Round {
  /** Of the streams, until the prompt's first id. */
  readonly gaps: readonly number[];
  /** The prompt's first step that fills the budget. */
  readonly whole: number;
  readonly pieces: number;
  /** From its arrival to its first id. */
  readonly first: number;
}

interface Step {
  readonly tokens: number;
  /** Milliseconds. */
  readonly took: number;
}

async function promptsAmongStreams({
  engine,
  clock,
  vocabSize,
}: CpuWorld): Promise<{ readonly rounds: readonly Round[]; readonly steps: readonly Step[] }> {
  const params = { ...DEFAULT_SAMPLING, ignoreEos: true, temperature: 0 };
  const last = new Map<SequenceId, number>();
  const gaps: { readonly at: number; readonly gap: number }[] = [];
  const steps: Step[] = [];
  let long: SequenceId | undefined;
  let answered = 0;
  engine.subscribe((event) => {
    if (event.type === "step-finished") {
      steps.push({ tokens: event.tokens, took: event.duration / 1e6 });
    }
    if (event.type !== "tokens-emitted") return;
    if (event.id === long) {
      if (answered === 0) answered = event.at;
      return;
    }
    const before = last.get(event.id);
    if (before !== undefined) gaps.push({ at: event.at, gap: (event.at - before) / 1e6 });
    last.set(event.id, event.at);
  });
  const prompt = (length: number, seed: number): Int32Array =>
    Int32Array.from({ length }, (_, at) => (seed * 131 + at * 17) % vocabSize);
  const streams = Array.from({ length: STREAMS }, (_, index) =>
    engine.submit({ prompt: prompt(40, index), params: { ...params, maxTokens: 4000 } }),
  ).flat();
  const wait = (nanos: number): Promise<void> =>
    new Promise((resolve) => {
      clock.at(clock.now() + nanos, resolve);
    });
  const rounds: Round[] = [];
  for (let round = 0; round < 4; round++) {
    await wait(0.5e9);
    const arrived = clock.now();
    answered = 0;
    const from = steps.length;
    [long] = engine.submit({
      prompt: prompt(PROMPT, 50 + round),
      params: { ...params, maxTokens: 4 },
    });
    while (answered === 0) await wait(5e6);
    if (round === 0) {
      steps.length = 0; // the first compiles and grows buffers
      continue;
    }
    const its = steps.slice(from);
    rounds.push({
      gaps: gaps.filter(({ at }) => at > arrived && at <= answered).map(({ gap }) => gap),
      whole: its.find(({ tokens }) => tokens === BUDGET)?.took ?? 0,
      pieces: its.filter(({ tokens }) => tokens > STREAMS + 1).length,
      first: (answered - arrived) / 1e6,
    });
  }
  for (const id of streams) engine.finish(id, "abort");
  await engine.idle();
  engine.check();
  return { rounds, steps };
}
