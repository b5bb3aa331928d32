/**
 * What guessing gains on the cpu device: output ids a second with and without, one
 * stream and sixteen, and the step costs that explain it. Prompts are the 50 of the
 * model card, answers end by themselves; "texts to repeat" ask for a text word for word.
 *
 *     npx tsx scripts/maintain/bench/speculation.ts [--model DIR] [--draft DIR] [--rounds N] [--tokens N] [--streams 1,16]
 *         [--methods draft_model,ngram,suffix]
 *
 * Gains are medians (least to most) over the rounds, each against the rounds without guesses
 * before it and after it: by the clock, and in processor time of all threads, which other work
 * moves less. "None, once more" is a second engine without guesses: how far off the ruler is.
 */

import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { RealClock } from "../../../device/clocks/real.ts";
import type { Device } from "../../../device/device.ts";
import { createDevice } from "../../../device/registry.ts";
import type { DeviceSettings } from "../../../device/settings.ts";
import { Engine } from "../../../engine/engine.ts";
import { TokenSampler } from "../../../engine/sample/sampler.ts";
import { DEFAULT_SAMPLING, type SamplingParams } from "../../../engine/sequence.ts";
import { createProposer, readSpeculativeConfig } from "../../../engine/speculate/registry.ts";
import { loadModel } from "../../../models/load.ts";
import type { Model } from "../../../models/model.ts";
import { sha256 } from "../../../server/sha256.ts";
import { rerunAsLaunched } from "./as-launched.ts";
import { median } from "./device-steps.ts";
import { medians, Watch } from "./watch.ts";

const bundled = (name: string): string =>
  fileURLToPath(new URL(`../../../models/bundled/${name}`, import.meta.url));

const { values: flags } = parseArgs({
  options: {
    model: { type: "string", default: bundled("trainyard-tiny") },
    draft: { type: "string", default: bundled("trainyard-draft") },
    rounds: { type: "string", default: "5" },
    tokens: { type: "string", default: "128" },
    streams: { type: "string", default: "1,16" },
    methods: { type: "string", default: "draft_model,ngram,suffix" },
  },
});

const TOKENS = Number(flags.tokens);
const ROUNDS = Number(flags.rounds);
const GUESSES = 6;
/** Where the text to come is known, more pay. */
const COPY_GUESSES = 8;

/** Ask for a text word for word: what follows has been said before. */
const COPYING: readonly string[] = [
  "Copy this: Tom had a red ball and a blue kite. He went to the park with his dog Max. They played all day and ate ice cream. When it got dark they went home and slept.",
  "Repeat after me: Anna and her mom made a big cake. They put it on the table and waited for Dad to come home. Dad was very happy. He gave Anna a big hug.",
  "Copy this: One day, a small frog met a green fish. They played in the pond until the sun went down. The frog said goodbye and went home to his mom.",
  "Repeat this three times: The little bird sat in the tall tree. It wanted to fly over the river and see the farm.",
  "Say this again: The old man gave the boy a shiny key. It opened the box in the kitchen. Inside the box was a map, and the map showed a castle.",
];

interface Chat {
  readonly messages: readonly unknown[];
  readonly tools?: readonly unknown[];
}

/** The model card's fixed prompts, as chats. */
function cardPrompts(): readonly Chat[] {
  const file = new URL("../train/prompts.json", import.meta.url);
  // Written by make_prompts.py.
  return (JSON.parse(readFileSync(file, "utf8")) as { readonly fixed: readonly Chat[] }).fixed;
}

const repeating: readonly Chat[] = COPYING.map((content) => ({
  messages: [{ role: "user", content }],
}));

interface Case {
  readonly name: string;
  readonly method?: string;
  /** Guesses a step at most; absent: GUESSES. */
  readonly guesses?: number;
  /** Steps under way at once; absent: as the server has it. */
  readonly inFlight?: 1 | 2;
}

interface Load {
  readonly chats: readonly Chat[];
  readonly streams: number;
}

interface Models {
  readonly target: Model;
  readonly draft: Model;
}

function device(
  model: Model,
  parts: Pick<DeviceSettings, "clock" | "sampler" | "quantization" | "inFlight">,
): Promise<Device> {
  return createDevice("cpu", {
    ...parts,
    model,
    tensorParallelSize: 1,
    maxRows: 16,
    maxTokens: 512,
    maxContext: Math.min(1024, model.architecture.maxContext),
    maxDrafted: COPY_GUESSES,
    seed: 0,
    own: {},
  });
}

/** Ids a second of a round, and a second of processor time. */
interface Rates {
  readonly byClock: number;
  readonly byWork: number;
}

/** One stream waits for each answer before it asks again. */
async function measured(
  engine: Engine,
  of: {
    readonly clock: RealClock;
    readonly counts: { readonly emitted: number; ms: number };
    readonly prompts: readonly Parameters<Engine["submit"]>[0]["prompt"][];
    readonly params: SamplingParams;
    readonly load: Load;
  },
): Promise<Rates> {
  const { clock, counts, prompts, params, load } = of;
  const [start, before, used] = [clock.now(), counts.emitted, process.cpuUsage()];
  for (const prompt of prompts) {
    engine.submit({ prompt, params });
    if (load.streams === 1) await engine.idle();
  }
  await engine.idle();
  const ids = counts.emitted - before;
  const { user, system } = process.cpuUsage(used);
  const ms = (clock.now() - start) / 1e6;
  counts.ms += ms;
  return { byClock: (1000 * ids) / ms, byWork: ids / ((user + system) / 1e6) };
}

async function prepare(of: Case, load: Load, { target, draft }: Models) {
  const clock = new RealClock();
  const sampler = new TokenSampler();
  const { inFlight, guesses = GUESSES } = of;
  const parts = { clock, sampler, ...(inFlight && { inFlight }) };
  const watch = new Watch(await device(target, parts), clock);
  const own = { clock, sampler: new TokenSampler(), quantization: "w8a16" };
  const drafting =
    of.method === "draft_model" ? new Watch(await device(draft, own), clock) : undefined;
  const speculation = async (method: string) => {
    const config = readSpeculativeConfig({
      method,
      model: "draft",
      num_speculative_tokens: guesses,
      prompt_lookup_min: 2,
      prompt_lookup_max: 5,
    });
    const proposer = await createProposer({
      config,
      target: watch,
      ...(drafting && { draft: drafting }),
    });
    return { proposer, maxTokens: guesses };
  };
  const engine = new Engine(
    { device: watch, clock, sampler, sha256 },
    {
      maxNumSeqs: load.streams,
      maxNumBatchedTokens: 512,
      enablePrefixCaching: false,
      ...(of.method === undefined ? {} : { speculative: await speculation(of.method) }),
    },
  );
  const counts = { emitted: 0, drafted: 0, accepted: 0, ms: 0 };
  engine.subscribe((event) => {
    if (event.type !== "tokens-emitted") return;
    counts.emitted += event.tokens.length;
    counts.drafted += event.drafted;
    counts.accepted += event.accepted;
  });
  const { tokenizer, chatTemplate } = target;
  if (!tokenizer || !chatTemplate) throw new Error(`${target.source} has no chat.`);
  const prompts = await Promise.all(
    load.chats.map((chat) => {
      const text = chatTemplate.render({ ...chat, addGenerationPrompt: true });
      return tokenizer.encode(text, { addSpecialTokens: false });
    }),
  );
  const { eosTokenIds } = target.generation;
  const params = { ...DEFAULT_SAMPLING, temperature: 0, maxTokens: TOKENS, eosTokenIds };
  const round = (): Promise<Rates> => measured(engine, { clock, counts, prompts, params, load });
  return { name: of.name, engine, round, counts, times: watch.times, drafting: drafting?.times };
}

/** Median (least to most). */
const spread = (values: readonly number[]): string =>
  `${median(values).toFixed(2)} (${Math.min(...values).toFixed(2)} to ${Math.max(...values).toFixed(2)})x`;

/** What of all rounds, the first too, drafting took. */
function shareOf(times: ReadonlyMap<number, readonly number[]>, ms: number): string {
  const all = [...times.values()].flat();
  const drafting = all.reduce((sum, each) => sum + each, 0);
  return `${all.length} calls, ${((100 * drafting) / ms).toFixed(1)} % of the time`;
}

const say = (line: string): boolean => process.stdout.write(`${line}\n`);

/** Of one that stands between two others. */
interface Beside {
  readonly own: Rates;
  readonly before: Rates;
  readonly after: Rates;
}

const gainOf = ({ own, before, after }: Beside, of: keyof Rates): number =>
  (2 * own[of]) / (before[of] + after[of]);

/** Rounds of all cases by turns, one of the first case between any two; the first of each is not counted. */
async function compare(
  title: string,
  load: Load,
  cases: readonly Case[],
  models: Models,
): Promise<void> {
  say(title);
  const runs = [];
  for (const each of cases) runs.push(await prepare(each, load, models));
  const [none, ...others] = runs;
  if (none === undefined) return;
  for (const run of runs) await run.round();
  const measured: Beside[][] = runs.map(() => []);
  let before = await none.round();
  for (let round = 0; round < ROUNDS; round++) {
    for (const [index, run] of others.entries()) {
      const own = await run.round();
      const after = await none.round();
      measured[index + 1]?.push({ own, before, after });
      measured[0]?.push({ own: after, before: after, after });
      before = after;
    }
  }
  for (const [index, { name, counts, times, drafting, engine }] of runs.entries()) {
    const mine = measured[index] ?? [];
    const gain = (of: keyof Rates): string => spread(mine.map((each) => gainOf(each, of)));
    const rate = median(mine.map(({ own }) => own.byClock));
    const held =
      counts.drafted === 0
        ? ""
        : `   held ${((100 * counts.accepted) / counts.drafted).toFixed(0)} %`;
    say(
      `  ${name.padEnd(24)} ${rate.toFixed(0).padStart(6)} ids/s   ${gain("byClock")} by the clock, ${gain("byWork")} in processor time${held}`,
    );
    say(`    ms a step by tokens   ${medians(times)}`);
    if (drafting)
      say(`    ms drafting by length ${medians(drafting)}   ${shareOf(drafting, counts.ms)}`);
    await engine.close();
  }
}

async function main(): Promise<void> {
  for (const folder of [flags.model, flags.draft]) {
    if (!existsSync(folder)) throw new Error(`No model in ${folder}: pass --model and --draft.`);
  }
  const models = { target: await loadModel(flags.model), draft: await loadModel(flags.draft) };
  const card = cardPrompts();
  const none: Case = { name: "none" };
  const again: Case = { name: "none, once more" };
  const methods = (...names: readonly string[]): readonly Case[] =>
    names
      .filter((name) => flags.methods.split(",").includes(name))
      .map((name) => ({ name, method: name }));
  const streams = flags.streams.split(",");
  if (streams.includes("1")) {
    await compare(
      "one stream, the model card's prompts",
      { chats: card, streams: 1 },
      [
        none,
        again,
        { name: "none, one step in flight", inFlight: 1 },
        ...methods("draft_model", "ngram", "suffix"),
      ],
      models,
    );
    await compare(
      "one stream, texts to repeat",
      { chats: repeating, streams: 1 },
      [none, ...methods("ngram", "suffix").map((each) => ({ ...each, guesses: COPY_GUESSES }))],
      models,
    );
  }
  if (streams.includes("16")) {
    await compare(
      "sixteen streams, adaptive",
      { chats: card, streams: 16 },
      [none, again, ...methods("draft_model", "ngram", "suffix")],
      models,
    );
  }
}

if (!(await rerunAsLaunched())) await main();
