/**
 * What a draft model of a tenth gains where a guess holds with a known chance: both models
 * random, so the target's greedy ids are recorded first, and a wrapper round the real draft
 * device puts each recorded id in place of its own with that chance, seeded. Costs are the
 * real ones; engine, ledger and sampler are the server's, so ranks choose the ids of greedy rows.
 * Rounds without and with guesses alternate over one target device.
 *
 *     npx tsx scripts/maintain/bench/drafted.ts [--chance 0.8] [--streams 1] [--guesses 4]
 *         [--rounds 5] [--tokens 192] [--folder DIR] [--always]
 *
 * What was recorded stays the target's answer, which a wrapper round its device says: int4 products
 * of one row and of several differ in their last bits, and the likeliest of random logits with them.
 */
import { existsSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { RealClock } from "../../../device/clocks/real.ts";
import { createCpuDevice } from "../../../device/cpu/device.ts";
import type { BatchRow, Device, Sampled, TokenId } from "../../../device/device.ts";
import { verified } from "../../../device/verified.ts";
import { Engine } from "../../../engine/engine.ts";
import { TokenSampler } from "../../../engine/sample/sampler.ts";
import { DEFAULT_SAMPLING } from "../../../engine/sequence.ts";
import type { DraftDevice } from "../../../engine/speculate/draft-model.ts";
import { createProposer, readSpeculativeConfig } from "../../../engine/speculate/registry.ts";
import { loadModel } from "../../../models/load.ts";
import { sha256 } from "../../../server/sha256.ts";
import { rerunAsLaunched } from "./as-launched.ts";
import { median } from "./device-steps.ts";
import { SHAPES, type Shape } from "./peer/shapes.ts";
import { writeModels } from "./peer/write.ts";
import { medians, Watch } from "./watch.ts";

const { values: flags } = parseArgs({
  options: {
    chance: { type: "string", default: "0.8" },
    streams: { type: "string", default: "1" },
    guesses: { type: "string", default: "4" },
    rounds: { type: "string", default: "5" },
    tokens: { type: "string", default: "192" },
    folder: { type: "string", default: join(tmpdir(), "trainyard-peer") },
    /** As many guesses in every step: what there is to be had. */
    always: { type: "boolean", default: false },
  },
});

const CHANCE = Number(flags.chance);
const STREAMS = Number(flags.streams);
const GUESSES = Number(flags.guesses);
const TOKENS = Number(flags.tokens);
const PROMPT = 32;
const TARGET = "494m";
const clock = new RealClock();

/** A tenth of the target's parameters, most of them the vocabulary's. */
function tenth({ config, arch }: Shape): Shape {
  return {
    arch,
    config: {
      ...config,
      hidden_size: 256,
      num_hidden_layers: 10,
      num_attention_heads: 4,
      num_key_value_heads: 2,
      intermediate_size: 1024,
    },
  };
}

/** The target's ids: recorded while it answers without guesses, and its answer from then on, at the same cost. */
class Script {
  readonly #streams = new Map<TokenId, TokenId[]>();
  recording = true;

  /** What the script says of a row, where the target said `own`. */
  sampled(row: BatchRow, own: Sampled): Sampled {
    const known = row.start + row.count - row.drafted;
    const stream = this.#of(row.context);
    if (this.recording) stream.push(...own.tokens);
    const { tokens } = verified(
      row,
      (index) => stream[known + index - PROMPT] ?? own.tokens.at(-1),
      () => false,
    );
    return { tokens, accepted: tokens.length - 1 };
  }

  /** The id at a position of the stream that begins as this context does. */
  next(context: Int32Array, position: number): TokenId | undefined {
    return this.#of(context)[position - PROMPT];
  }

  #of(context: Int32Array): TokenId[] {
    const first = context[0] ?? 0;
    const ids = this.#streams.get(first) ?? [];
    this.#streams.set(first, ids);
    return ids;
  }
}

/** What stays as the device has it. */
const passedOn = (device: Device): Device => ({
  name: device.name,
  limits: device.limits,
  can: device.can,
  vocabSize: device.vocabSize,
  execute: (batch, done) => device.execute(batch, done),
  release: (ids) => device.release(ids),
  close: () => device.close(),
});

/** The target, its ids the script's. */
function scripted(device: Device, script: Script): Device {
  return {
    ...passedOn(device),
    execute: (batch, done) =>
      device.execute(batch, (result) => {
        if (!result.ok) throw result.error;
        const rows = new Map(batch.rows.map((row) => [row.id, row]));
        const sampled = [...result.sampled].map(([id, own]) => {
          const row = rows.get(id);
          return [id, row === undefined ? own : script.sampled(row, own)] as const;
        });
        done({ ...result, sampled: new Map(sampled) });
      }),
  };
}

/** The draft device, its ids as likely to hold as asked. */
function withChance(device: Device, script: Script): DraftDevice {
  let state = 0x9e3779b9;
  const random = (): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
  const draft: DraftDevice["draft"] = (rows, count, done) => {
    if (device.draft === undefined) throw new Error(`${device.name} cannot draft.`);
    device.draft(rows, count, (drafts) => {
      const replaced = rows.map(({ id, context }) => {
        const own = drafts.get(id) ?? [];
        const ids = own.map((drafted, index) =>
          random() < CHANCE ? (script.next(context, context.length + index) ?? drafted) : drafted,
        );
        return [id, ids] as const;
      });
      done(new Map(replaced));
    });
  };
  return { ...passedOn(device), draft };
}

async function open(name: string, shape: Shape, sampler: TokenSampler): Promise<Watch> {
  const folder = join(flags.folder, name);
  if (!existsSync(join(folder, "model.safetensors"))) writeModels(folder, shape);
  const device = await createCpuDevice({
    model: await loadModel(folder),
    clock,
    sampler,
    tensorParallelSize: 1,
    quantization: "int4",
    maxContext: 1024,
    maxRows: Math.max(2, STREAMS),
    maxTokens: 512,
    maxDrafted: GUESSES,
    seed: 0,
    own: {},
    convertedWeights: { folder: join(flags.folder, "converted"), mostBytes: 2 ** 36 },
  });
  for (const line of device.loadLines ?? [])
    if (line.startsWith("copies")) console.log(`  ${name.padEnd(12)} ${line}`);
  return new Watch(device, clock);
}

/** What a round of all streams came to. */
interface Round {
  readonly idsPerSecond: number;
  /** Of all threads. */
  readonly cpuMsPerId: number;
}

function rounds(engine: Engine, vocabSize: number): () => Promise<Round> {
  let emitted = 0;
  engine.subscribe((event) => {
    if (event.type === "tokens-emitted") emitted += event.tokens.length;
  });
  const params = { ...DEFAULT_SAMPLING, temperature: 0, maxTokens: TOKENS, eosTokenIds: [] };
  return async () => {
    const [before, begun, used] = [emitted, performance.now(), process.cpuUsage()];
    for (let stream = 0; stream < STREAMS; stream++) {
      const prompt = Array.from({ length: PROMPT }, (_, i) => (7 * i + stream) % vocabSize);
      engine.submit({ prompt, params });
    }
    await engine.idle();
    const { user, system } = process.cpuUsage(used);
    const ids = emitted - before;
    return {
      idsPerSecond: (1000 * ids) / (performance.now() - begun),
      cpuMsPerId: (user + system) / 1000 / ids,
    };
  };
}

/** Rounds without and with guesses, in turns. */
interface Pair {
  readonly plain: Round;
  readonly guessing: Round;
}

async function main(): Promise<void> {
  const script = new Script();
  const shape = SHAPES[TARGET];
  if (shape === undefined) throw new Error(`No shape ${TARGET}.`);
  const sampler = new TokenSampler();
  const target = await open(TARGET, shape, sampler);
  const drafting = await open(`${TARGET}-tenth`, tenth(shape), new TokenSampler());
  const draft = withChance(drafting, script);
  const counts = { drafted: 0, accepted: 0 };
  const config = readSpeculativeConfig({
    method: "draft_model",
    model: "draft",
    num_speculative_tokens: GUESSES,
  });
  const proposer = await createProposer({ config, target, draft });
  const options = { maxNumSeqs: STREAMS, maxNumBatchedTokens: 512, enablePrefixCaching: false };
  const parts = { device: scripted(target, script), clock, sampler, sha256 };
  const plain = new Engine(parts, options);
  const speculative = { proposer, maxTokens: GUESSES, adaptive: !flags.always };
  const guessing = new Engine(parts, { ...options, speculative });
  guessing.subscribe((event) => {
    if (event.type !== "tokens-emitted") return;
    counts.drafted += event.drafted;
    counts.accepted += event.accepted;
  });
  const [without, withGuesses] = [
    rounds(plain, target.vocabSize),
    rounds(guessing, target.vocabSize),
  ];
  await without();
  script.recording = false;
  await withGuesses(); // learns what guesses cost
  const pairs: Pair[] = [];
  for (let round = 0; round < Number(flags.rounds); round++) {
    pairs.push({ plain: await without(), guessing: await withGuesses() });
  }
  print(pairs, counts);
  console.log(`  ms a step by tokens   ${medians(target.times)}`);
  console.log(`  ms drafting by length ${medians(drafting.times)}`);
  await guessing.close(); // the draft too; both engines share the target
}

const spread = (values: readonly number[], digits: number): string =>
  `${median(values).toFixed(digits)} (${Math.min(...values).toFixed(digits)}–${Math.max(...values).toFixed(digits)})`;

function print(
  pairs: readonly Pair[],
  { accepted, drafted }: { readonly accepted: number; readonly drafted: number },
): void {
  console.log(
    `${STREAMS} stream(s), a guess holds with ${CHANCE}; load ${loadavg()[0]?.toFixed(1)}`,
  );
  const rate = (which: keyof Pair): string =>
    spread(
      pairs.map((pair) => pair[which].idsPerSecond),
      0,
    );
  console.log(`none         ${rate("plain")} ids/s`);
  const held = ((100 * accepted) / drafted).toFixed(0);
  console.log(`draft_model  ${rate("guessing")} ids/s, held ${held} % of ${drafted}`);
  const gain = pairs.map((pair) => pair.guessing.idsPerSecond / pair.plain.idsPerSecond);
  const work = pairs.map((pair) => pair.plain.cpuMsPerId / pair.guessing.cpuMsPerId);
  console.log(
    `gain         ${spread(gain, 2)}x by the clock, ${spread(work, 2)}x in processor time`,
  );
}

if (!(await rerunAsLaunched())) await main();
