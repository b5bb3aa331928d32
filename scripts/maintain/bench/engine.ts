/**
 * What the engine costs: a step with 256 running and 10,000 waiting sequences,
 * row-steps a second in virtual time, and a sampled row. Each line is compared
 * with a limit measured in the same run.
 *
 *     npx tsx scripts/maintain/bench/engine.ts
 */

import { Session } from "node:inspector";
import { VirtualClock } from "../../../device/clocks/virtual.ts";
import type { BatchRow, DeviceLimits } from "../../../device/device.ts";
import { NullDevice } from "../../../device/null/device.ts";
import { Engine } from "../../../engine/engine.ts";
import { LiveSequence } from "../../../engine/live-sequence.ts";
import type { EngineOptions } from "../../../engine/options.ts";
import { TokenSampler } from "../../../engine/sample/sampler.ts";
import { DEFAULT_SAMPLING, type SamplingParams } from "../../../engine/sequence.ts";
import { sha256 } from "../../../server/sha256.ts";

const RUNNING = 256;
const WAITING = 10_000;
const VOCABULARY = 151_936;
const STEP_BUDGET_MICROSECONDS = 250;
const STEP_NANOS = 10_000_000;

function world(options: Partial<EngineOptions>, running = RUNNING) {
  const clock = new VirtualClock();
  const sampler = new TokenSampler();
  const limits: DeviceLimits = {
    blockSize: 16,
    blocks: 40_000,
    maxRows: running,
    maxTokens: 8192,
    maxContext: 4096,
    maxDrafted: 8,
    inFlight: 1,
  };
  const device = new NullDevice({
    clock,
    sampler,
    limits,
    vocabSize: 32_000,
    values: "ids",
    price: () => STEP_NANOS,
  });
  const engine = new Engine(
    { device, clock, sampler, sha256 },
    { maxNumSeqs: running, maxNumBatchedTokens: 8192, ...options },
  );
  return { clock, engine };
}

/** Processor time, so that a busy machine tells the same as a quiet one. */
function cpuMicroseconds(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

/** Microseconds a step, device included (it only hashes), in five parts of the run. */
function stepCost(waiting: number, options: Partial<EngineOptions>): number[] {
  const { clock, engine } = world(options);
  const params = { ...DEFAULT_SAMPLING, maxTokens: 3000, ignoreEos: true };
  let seed = 1;
  const prompt = (): Int32Array =>
    Int32Array.from({ length: 100 }, () => {
      seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) | 0;
      return (seed >>> 8) % 32_000;
    });
  for (let i = 0; i < RUNNING + waiting; i++) engine.submit({ prompt: prompt(), params });
  let steps = 0;
  engine.subscribe((event) => {
    if (event.type === "step-finished") steps++;
  });
  clock.runReady(clock.now() + 50 * STEP_NANOS); // prompts, and the compiler
  return Array.from({ length: 5 }, () => {
    const before = steps;
    const start = cpuMicroseconds();
    clock.runReady(clock.now() + 400 * STEP_NANOS);
    return (cpuMicroseconds() - start) / (steps - before);
  });
}

/** Kilobytes that a step leaves to the collector: counted, so that a busy machine tells the same. */
function garbage(): number {
  const { clock, engine } = world({});
  const params = { ...DEFAULT_SAMPLING, maxTokens: 3000, ignoreEos: true };
  const prompt = new Int32Array(100).fill(5);
  for (let i = 0; i < RUNNING; i++) engine.submit({ prompt, params });
  clock.runReady(clock.now() + 200 * STEP_NANOS); // prompts, and the compiler
  const session = new Session();
  session.connect();
  const sampling = {
    samplingInterval: 4096,
    includeObjectsCollectedByMinorGC: true,
    includeObjectsCollectedByMajorGC: true,
  };
  session.post("HeapProfiler.startSampling", sampling);
  const steps = 1000;
  clock.runReady(clock.now() + steps * STEP_NANOS);
  let bytes = 0;
  session.post("HeapProfiler.stopSampling", (_error, { profile }) => {
    const sum = (node: HeapNode): void => {
      bytes += node.selfSize;
      for (const child of node.children) sum(child);
    };
    sum(profile.head);
  });
  session.disconnect();
  return bytes / 1024 / steps;
}

interface HeapNode {
  readonly selfSize: number;
  readonly children: readonly HeapNode[];
}

/** Row-steps a second: closed-loop users, prompts of 200, outputs of 300. */
function rowSteps(users: number, repeat: boolean): number {
  const { clock, engine } = world({ repeat, enablePrefixCaching: false }, users);
  const params = { ...DEFAULT_SAMPLING, maxTokens: 300, ignoreEos: true };
  const prompt = new Int32Array(200).fill(5);
  let left = 3_000;
  let tokens = 0;
  engine.subscribe((event) => {
    if (event.type === "tokens-emitted") tokens += event.tokens.length;
    if (event.type === "request-finished" && left-- > 0) engine.submit({ prompt, params });
  });
  for (let i = 0; i < users; i++) clock.at(i * STEP_NANOS, () => engine.submit({ prompt, params }));
  const start = cpuMicroseconds();
  clock.runReady();
  return tokens / (cpuMicroseconds() - start);
}

/** Microseconds a row of `VOCABULARY` logits takes. */
function sampled(params: Partial<SamplingParams>): number {
  const sampler = new TokenSampler();
  const prompt = new Int32Array(100).fill(3);
  const request = { prompt, params: { ...DEFAULT_SAMPLING, maxTokens: 100_000, ...params } };
  sampler.add(
    new LiveSequence(request, { id: 0, index: 0, group: [0], arrival: 0, maxContext: 200_000 }),
  );
  const base = Float32Array.from(
    { length: VOCABULARY },
    (_, id) => bell(id) + (id % 30_011 === 7 ? 12 : 0),
  );
  const logits = new Float32Array(VOCABULARY);
  const row: BatchRow = {
    id: 0,
    context: prompt,
    start: 99,
    count: 1,
    drafted: 0,
    blocks: [],
    want: "last",
  };
  const times: number[] = [];
  for (let round = 0; round < 60; round++) {
    logits.set(base);
    const start = process.hrtime.bigint();
    sampler.sample(row, logits);
    times.push(Number(process.hrtime.bigint() - start) / 1000);
  }
  return Math.min(...times.slice(20)); // the machine may be busy: the quietest round
}

/** Roughly normal, deviation 2: a model's tail; the few peaks are added to it. */
function bell(id: number): number {
  let sum = 0;
  for (let i = 1; i <= 12; i++) {
    const wave = Math.sin(id * 12.9898 * i) * 43_758.5453;
    sum += wave - Math.floor(wave);
  }
  return 2 * (sum - 6);
}

/** Microseconds to read the row once: the least any sampler needs. */
function readOnce(): number {
  const logits = Float32Array.from({ length: VOCABULARY }, (_, id) => Math.sin(id));
  const times: number[] = [];
  let sum = 0;
  for (let round = 0; round < 60; round++) {
    const start = process.hrtime.bigint();
    for (let id = 0; id < logits.length; id++) sum += logits[id] ?? 0;
    times.push(Number(process.hrtime.bigint() - start) / 1000);
  }
  return sum === 0 ? 0 : median(times.slice(20));
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;
}

export function run(): number {
  const say = (line: string): boolean => process.stdout.write(`${line}\n`);
  say(`engine step, ${RUNNING} running (limit ${STEP_BUDGET_MICROSECONDS} µs)`);
  const cases: readonly (readonly [string, number, Partial<EngineOptions>])[] = [
    ["nobody waiting", 0, {}],
    [`${WAITING} waiting`, WAITING, {}],
    [`${WAITING} waiting, priority policy`, WAITING, { schedulingPolicy: "priority" }],
    [`${WAITING} waiting, no prefix cache`, WAITING, { enablePrefixCaching: false }],
  ];
  for (const [name, waiting, options] of cases) {
    const cost = median(stepCost(waiting, options));
    const share = ((100 * cost) / STEP_BUDGET_MICROSECONDS).toFixed(0);
    say(`  ${name.padEnd(32)} ${cost.toFixed(1).padStart(7)} µs   ${share} % of the limit`);
  }
  say(`  ${"left to the collector".padEnd(32)} ${garbage().toFixed(0).padStart(7)} kB a step`);
  say("virtual time, closed-loop users: million row-steps a second");
  for (const users of [1, 16, RUNNING]) {
    const single = rowSteps(users, false);
    const repeated = rowSteps(users, true);
    const gain = (repeated / single).toFixed(1);
    say(
      `  ${String(users).padEnd(4)} step by step ${single.toFixed(2).padStart(6)}   with Batch.repeat ${repeated.toFixed(2).padStart(6)}   ${gain}x`,
    );
  }
  const floor = readOnce();
  say(`sampled row, vocabulary ${VOCABULARY} (reading it once: ${floor.toFixed(0)} µs)`);
  const kinds: readonly (readonly [string, Partial<SamplingParams>])[] = [
    ["greedy", { temperature: 0 }],
    ["temperature", { temperature: 0.8 }],
    ["top_k 20", { topK: 20 }],
    ["top_k 20, top_p 0.95", { topK: 20, topP: 0.95 }],
    ["top_p 0.95", { topP: 0.95 }],
    ["min_p 0.05", { minP: 0.05 }],
    ["greedy, 5 logprobs", { temperature: 0, logprobs: 5 }],
    ["top_k 20, repetition penalty", { topK: 20, repetitionPenalty: 1.1 }],
  ];
  for (const [name, params] of kinds) {
    const cost = sampled(params);
    say(`  ${name.padEnd(32)} ${cost.toFixed(0).padStart(7)} µs   ${(cost / floor).toFixed(1)}x`);
  }
  return 0;
}

process.exitCode = run();
