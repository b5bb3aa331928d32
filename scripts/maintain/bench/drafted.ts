/**
 * What a draft model of a tenth gains where a guess holds with a known chance: both models
 * random, so the target's greedy ids are recorded first, and a wrapper round the real draft
 * device puts each recorded id in place of its own with that chance, seeded. Costs are the
 * real ones; engine, ledger and verification are the server's. Rounds without and with guesses
 * alternate over one target device.
 *
 *     npx tsx scripts/maintain/bench/drafted.ts [--chance 0.8] [--streams 1] [--guesses 4]
 *         [--rounds 5] [--tokens 192] [--folder DIR]
 *
 * What was recorded stays the target's answer: int4 products of one row and of several differ
 * in their last bits, and the likeliest of random logits with them.
 */
import { existsSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { argmax } from "../../../device/argmax.ts";
import { RealClock } from "../../../device/clocks/real.ts";
import { createCpuDevice } from "../../../device/cpu/device.ts";
import type { BatchRow, Device, Sampled, Sampler, TokenId } from "../../../device/device.ts";
import { Engine } from "../../../engine/engine.ts";
import { TokenSampler } from "../../../engine/sample/sampler.ts";
import { DEFAULT_SAMPLING } from "../../../engine/sequence.ts";
import type { DraftDevice } from "../../../engine/speculate/draft-model.ts";
import { createProposer, readSpeculativeConfig } from "../../../engine/speculate/registry.ts";
import { loadModel } from "../../../models/load.ts";
import { sha256 } from "../../../server/sha256.ts";
import { median } from "./device-steps.ts";
import { SHAPES, type Shape } from "./peer/shapes.ts";
import { writeModels } from "./peer/write.ts";

const { values: flags } = parseArgs({
  options: {
    chance: { type: "string", default: "0.8" },
    streams: { type: "string", default: "1" },
    guesses: { type: "string", default: "4" },
    rounds: { type: "string", default: "5" },
    tokens: { type: "string", default: "192" },
    folder: { type: "string", default: join(tmpdir(), "trainyard-peer") },
  },
});

const CHANCE = Number(flags.chance);
const STREAMS = Number(flags.streams);
const GUESSES = Number(flags.guesses);
const TOKENS = Number(flags.tokens);
const PROMPT = 32;
const TARGET = "494m";

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

/** Greedy, until it has recorded a stream; from then on what it recorded, at the same cost. */
class Script implements Sampler {
  readonly #streams = new Map<TokenId, TokenId[]>();
  recording = true;

  sample({ context, drafted }: BatchRow, logits: Float32Array): Sampled {
    const width = logits.length / (drafted + 1);
    const known = context.length - drafted;
    const ids: TokenId[] = [];
    for (let index = 0; index <= drafted; index++) {
      const best = argmax(logits.subarray(index * width, (index + 1) * width)) ?? 0;
      if (this.recording) this.#of(context).push(best);
      const id = this.next(context, known + index) ?? best;
      ids.push(id);
      if (index === drafted || context[known + index] !== id) break;
    }
    return { tokens: ids, accepted: ids.length - 1 };
  }

  prompt(): readonly [] {
    return [];
  }

  /** As the server's sampler: steps without guesses need no logits. */
  greedy(): boolean {
    return !this.recording;
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
  return {
    name: device.name,
    limits: device.limits,
    can: device.can,
    vocabSize: device.vocabSize,
    execute: (batch, done) => device.execute(batch, done),
    release: (ids) => device.release(ids),
    close: () => device.close(),
    draft,
  };
}

async function open(name: string, shape: Shape, sampler: Sampler): Promise<Device> {
  const folder = join(flags.folder, name);
  if (!existsSync(join(folder, "model.safetensors"))) writeModels(folder, shape);
  return createCpuDevice({
    model: await loadModel(folder),
    clock: new RealClock(),
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

const script = new Script();
const shape = SHAPES[TARGET];
if (shape === undefined) throw new Error(`No shape ${TARGET}.`);
const target = await open(TARGET, shape, script);
const draft = withChance(await open(`${TARGET}-tenth`, tenth(shape), new Script()), script);
const counts = { drafted: 0, accepted: 0 };
const config = readSpeculativeConfig({
  method: "draft_model",
  model: "draft",
  num_speculative_tokens: GUESSES,
});
const proposer = await createProposer({ config, target, draft });
const clock = new RealClock();
const options = { maxNumSeqs: STREAMS, maxNumBatchedTokens: 512, enablePrefixCaching: false };
const parts = { device: target, clock, sampler: new TokenSampler(), sha256 };
const plain = new Engine(parts, options);
const guessing = new Engine(parts, { ...options, speculative: { proposer, maxTokens: GUESSES } });
guessing.subscribe((event) => {
  if (event.type !== "tokens-emitted") return;
  counts.drafted += event.drafted;
  counts.accepted += event.accepted;
});
const [without, withGuesses] = [plain, guessing].map((each) => rounds(each, target.vocabSize));
if (without === undefined || withGuesses === undefined) throw new Error("There are two engines.");
await without();
script.recording = false;
await withGuesses(); // learns what guesses cost
const pairs: { readonly plain: Round; readonly guessing: Round }[] = [];
for (let round = 0; round < Number(flags.rounds); round++) {
  pairs.push({ plain: await without(), guessing: await withGuesses() });
}
const spread = (values: readonly number[], digits: number): string =>
  `${median(values).toFixed(digits)} (${Math.min(...values).toFixed(digits)}–${Math.max(...values).toFixed(digits)})`;
console.log(`${STREAMS} stream(s), a guess holds with ${CHANCE}; load ${loadavg()[0]?.toFixed(1)}`);
const rate = (which: "plain" | "guessing"): string =>
  spread(
    pairs.map((pair) => pair[which].idsPerSecond),
    0,
  );
console.log(`none         ${rate("plain")} ids/s`);
console.log(
  `draft_model  ${rate("guessing")} ids/s, held ${((100 * counts.accepted) / counts.drafted).toFixed(0)} % of ${counts.drafted}`,
);
const gain = pairs.map((pair) => pair.guessing.idsPerSecond / pair.plain.idsPerSecond);
const work = pairs.map((pair) => pair.plain.cpuMsPerId / pair.guessing.cpuMsPerId);
console.log(`gain         ${spread(gain, 2)}x by the clock, ${spread(work, 2)}x in processor time`);
await plain.close();
