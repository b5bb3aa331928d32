/**
 * What guessing gains on the cpu device: output ids a second with and without,
 * one stream and sixteen, and the step costs that explain it.
 *
 *     npx tsx scripts/bench-speculation.ts [--model DIR] [--draft DIR] [--rounds N] [--tokens N]
 */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { RealClock } from "../device/clock.ts";
import type { Batch, Device, SequenceId, StepResult } from "../device/device.ts";
import { createDevice } from "../device/registry.ts";
import { Engine } from "../engine/engine.ts";
import { TokenSampler } from "../engine/sample/sampler.ts";
import { DEFAULT_SAMPLING } from "../engine/sequence.ts";
import { createProposer, readSpeculativeConfig } from "../engine/speculate/registry.ts";
import { loadModel } from "../models/load.ts";
import type { Model } from "../models/model.ts";

const bundled = (name: string): string =>
  fileURLToPath(new URL(`../models/bundled/${name}`, import.meta.url));

const { values: flags } = parseArgs({
  options: {
    model: { type: "string", default: bundled("trainyard-tiny") },
    draft: { type: "string", default: bundled("trainyard-draft") },
    rounds: { type: "string", default: "5" },
    tokens: { type: "string", default: "128" },
  },
});

const TOKENS = Number(flags.tokens);
const ROUNDS = Number(flags.rounds);
const GUESSES = 4;

const STORY = "Tom had a red ball and a blue kite. He went to the park with his dog Max. ";
const PROMPTS: readonly string[] = [
  "Once upon a time there was a small boat that",
  "The king asked the old woman why",
  "In the morning the garden was",
  "Lily wanted to learn how to",
];
/** Says the same again and again: what follows has been said before. */
const COPY = STORY.repeat(4);

/** Times each step by its tokens, on the way to the device. */
class Watch implements Device {
  readonly name: string;
  readonly limits: Device["limits"];
  readonly vocabSize: number;
  /** Milliseconds of steps of short rows, by tokens; of drafting, by the guess's length. */
  readonly times = new Map<number, number[]>();
  readonly #inner: Device;
  readonly #clock: RealClock;

  constructor(inner: Device, clock: RealClock) {
    this.#inner = inner;
    this.#clock = clock;
    this.name = inner.name;
    this.limits = inner.limits;
    this.vocabSize = inner.vocabSize;
  }

  execute(batch: Batch, done: (result: StepResult) => void): void {
    const start = this.#clock.now();
    const short = batch.rows.every((row) => row.count === 1 + row.drafted);
    const tokens = batch.rows.reduce((sum, row) => sum + row.count, 0);
    this.#inner.execute(batch, (result) => {
      if (short) this.#note(tokens, start);
      done(result);
    });
  }

  /** Timed under the length of the guess. */
  draft(...[rows, count, done]: Parameters<NonNullable<Device["draft"]>>): void {
    if (this.#inner.draft === undefined) throw new Error(`${this.name} cannot draft.`);
    const start = this.#clock.now();
    this.#inner.draft(rows, count, (drafts) => {
      this.#note(count, start);
      done(drafts);
    });
  }

  release(ids: readonly SequenceId[]): void {
    this.#inner.release(ids);
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  #note(size: number, start: number): void {
    const list = this.times.get(size) ?? [];
    this.times.set(size, list);
    list.push((this.#clock.now() - start) / 1e6);
  }
}

interface Case {
  readonly name: string;
  readonly prompts: readonly string[];
  readonly method?: string;
  readonly adaptive?: boolean;
}

interface Models {
  readonly target: Model;
  readonly draft: Model;
}

function device(
  model: Model,
  { clock, sampler }: { readonly clock: RealClock; readonly sampler: TokenSampler },
  quantization = "none",
): Promise<Device> {
  return createDevice("cpu", {
    model,
    quantization,
    clock,
    sampler,
    tensorParallelSize: 1,
    maxRows: 16,
    maxTokens: 512,
    maxContext: Math.min(1024, model.architecture.maxContext),
    maxDrafted: GUESSES,
    inFlight: 1,
    seed: 0,
    own: {},
  });
}

async function prepare(of: Case, { target, draft }: Models) {
  const clock = new RealClock();
  const sampler = new TokenSampler();
  const watch = new Watch(await device(target, { clock, sampler }), clock);
  const drafting =
    of.method === "draft_model"
      ? new Watch(await device(draft, { clock, sampler: new TokenSampler() }, "int8-block"), clock)
      : undefined;
  const speculation = async (method: string) => {
    const config = readSpeculativeConfig({
      method,
      model: "draft",
      num_speculative_tokens: GUESSES,
      prompt_lookup_min: 2,
      prompt_lookup_max: 5,
    });
    const proposer = await createProposer({
      config,
      target: watch,
      seed: 0,
      ...(drafting && { draft: drafting }),
    });
    return { proposer, maxTokens: GUESSES, adaptive: of.adaptive ?? true };
  };
  const engine = new Engine(
    { device: watch, clock, sampler },
    {
      maxNumSeqs: 16,
      maxNumBatchedTokens: 512,
      enablePrefixCaching: false,
      ...(of.method === undefined ? {} : { speculative: await speculation(of.method) }),
    },
  );
  const counts = { drafted: 0, accepted: 0 };
  engine.subscribe((event) => {
    if (event.type !== "tokens-emitted") return;
    counts.drafted += event.drafted;
    counts.accepted += event.accepted;
  });
  const tokenizer = target.tokenizer;
  if (tokenizer === undefined) throw new Error(`${target.source} has no tokenizer.`);
  const prompts = await Promise.all(of.prompts.map((text) => tokenizer.encode(text)));
  /** Ids a second of one round. */
  const round = async (): Promise<number> => {
    const start = clock.now();
    const params = { ...DEFAULT_SAMPLING, temperature: 0, maxTokens: TOKENS, ignoreEos: true };
    for (const prompt of prompts) engine.submit({ prompt, params });
    await engine.idle();
    return (TOKENS * prompts.length) / ((clock.now() - start) / 1e9);
  };
  return { name: of.name, engine, round, counts, times: watch.times, drafting: drafting?.times };
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;
}

/** Of the sizes seen often: `size: median (times)`. */
function medians(times: ReadonlyMap<number, readonly number[]>): string {
  return [...times]
    .filter(([, list]) => list.length > 20)
    .sort(([a], [b]) => a - b)
    .map(([size, list]) => `${size}: ${median(list).toFixed(2)} (${list.length})`)
    .join("  ");
}

const say = (line: string): boolean => process.stdout.write(`${line}\n`);

/** Rounds of all cases by turns, so that a busy moment hits each alike; the first round is not counted. */
async function compare(title: string, cases: readonly Case[], models: Models): Promise<void> {
  say(title);
  const runs = [];
  for (const each of cases) runs.push(await prepare(each, models));
  const rates: number[][] = runs.map(() => []);
  for (let round = 0; round <= ROUNDS; round++) {
    for (const [index, run] of runs.entries()) {
      const rate = await run.round();
      if (round > 0) rates[index]?.push(rate);
    }
  }
  const base = median(rates[0] ?? []);
  for (const [index, { name, counts, times, drafting, engine }] of runs.entries()) {
    const rate = median(rates[index] ?? []);
    const held =
      counts.drafted === 0
        ? ""
        : `   held ${((100 * counts.accepted) / counts.drafted).toFixed(0)} %`;
    say(
      `  ${name.padEnd(24)} ${rate.toFixed(0).padStart(6)} ids/s   ${(rate / base).toFixed(2)}x${held}`,
    );
    say(`    ms a step by tokens   ${medians(times)}`);
    if (drafting) say(`    ms drafting by length ${medians(drafting)}`);
    await engine.close();
  }
}

for (const folder of [flags.model, flags.draft]) {
  if (!existsSync(folder)) throw new Error(`No model in ${folder}: pass --model and --draft.`);
}
const models = { target: await loadModel(flags.model), draft: await loadModel(flags.draft) };
const one = PROMPTS.slice(0, 1);
const many = Array.from({ length: 16 }, (_, i) => PROMPTS[i % PROMPTS.length] ?? "");
await compare(
  "one stream, a story",
  [
    { name: "none", prompts: one },
    { name: "draft_model", prompts: one, method: "draft_model" },
    { name: "ngram", prompts: one, method: "ngram" },
    { name: "suffix", prompts: one, method: "suffix" },
  ],
  models,
);
await compare(
  "one stream, a copy-heavy prompt",
  [
    { name: "none", prompts: [COPY] },
    { name: "ngram", prompts: [COPY], method: "ngram" },
    { name: "suffix", prompts: [COPY], method: "suffix" },
  ],
  models,
);
await compare(
  "sixteen streams, adaptive",
  [
    { name: "none", prompts: many },
    { name: "draft_model", prompts: many, method: "draft_model" },
    { name: "ngram", prompts: many, method: "ngram" },
  ],
  models,
);
