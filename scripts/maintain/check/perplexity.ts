/**
 * What each way to compute a model costs in quality: perplexity of held-out text, a token, and
 * bits per UTF-8 byte, through this project's own engine and cpu device. Usage:
 *
 *     tsx scripts/maintain/check/perplexity.ts [--model FOLDER] [--stories N] [--paths "A;B"]
 *
 * "row by row" computes one token a step: kernels of a single row, which decoding alone takes.
 * Data: TinyStories' `v1-valid` part in `corpus-tinystories` under TRAINYARD_DATA. Each story
 * stands alone, between end-of-text tokens where the tokenizer has one.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { gunzipSync } from "node:zlib";
import { loadModel } from "../../../models/load.ts";
import { loadTokenizer } from "../../../models/tokenizer/tokenizer.ts";
import { LLM, type LLMOptions, SamplingParams } from "../../../server/library.ts";

const ROW_BY_ROW = { maxNumBatchedTokens: 1, maxNumSeqs: 1 } as const;

/** The first is what the others are compared with. */
const PATHS: Readonly<Record<string, Partial<LLMOptions>>> = {
  F32: { quantization: "none" },
  "F32, KV in BF16": { quantization: "none", kvCacheDtype: "bfloat16" },
  "F32, KV in int8": { quantization: "none", kvCacheDtype: "int8_per_token_head" },
  int8: { quantization: "int8" },
  "int8, row by row": { quantization: "int8", ...ROW_BY_ROW },
  "int4, one copy": { quantization: "int4", weightCopies: "1" },
  "int4, one copy, row by row": { quantization: "int4", weightCopies: "1", ...ROW_BY_ROW },
  "int4, two copies": { quantization: "int4", weightCopies: "2" },
  "w8a16, row by row": { quantization: "w8a16", ...ROW_BY_ROW },
};

const END = "<|endoftext|>";

function heldOut(): string[] {
  const folder = process.env["TRAINYARD_DATA"] ?? "../shared/data";
  const lines = gunzipSync(readFileSync(join(folder, "corpus-tinystories/tinystories.jsonl.gz")));
  return String(lines)
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { source: string; text: string })
    .filter(({ source }) => source === "v1-valid")
    .map(({ text }) => text.trim());
}

async function main(): Promise<void> {
  const { values: flags } = parseArgs({
    options: {
      model: {
        type: "string",
        default: fileURLToPath(new URL("../../../models/bundled/trainyard-tiny", import.meta.url)),
      },
      stories: { type: "string", default: "953" },
      paths: { type: "string", default: Object.keys(PATHS).join(";") },
    },
  });
  const tokenizer = loadTokenizer(flags.model);
  if (tokenizer === undefined) throw new Error(`${flags.model} has no tokenizer.json`);
  const { maxContext } = (await loadModel(flags.model)).architecture;
  const ends = (await tokenizer.encode(END, { addSpecialTokens: false })).length === 1;
  let bytes = 0;
  let tokens = 0;
  const prompts: (readonly number[])[] = [];
  for (const story of heldOut().slice(0, Number(flags.stories))) {
    const ids = ends
      ? await tokenizer.encode(`${END}${story}${END}`, { addSpecialTokens: false })
      : await tokenizer.encode(story, { addSpecialTokens: true });
    if (ids.length >= maxContext) continue;
    prompts.push([...ids]);
    bytes += Buffer.byteLength(story);
    tokens += ids.length - 1;
  }
  console.log(`${prompts.length} stories, ${bytes} bytes, ${tokens} tokens`);
  let exact: number | undefined;
  for (const name of flags.paths.split(";")) {
    const nats = await loss(flags.model, PATHS[name] ?? {}, prompts);
    exact ??= nats;
    const perplexity = Math.exp(nats / tokens);
    const against = 100 * (perplexity / Math.exp(exact / tokens) - 1);
    console.log(
      `${name.padEnd(28)} perplexity ${perplexity.toFixed(4)} (${against >= 0 ? "+" : ""}${against.toFixed(2)} %), ${(nats / Math.LN2 / bytes).toFixed(4)} bits per byte`,
    );
  }
}

/** Nats of all known tokens but the first of each prompt. */
async function loss(
  model: string,
  options: Partial<LLMOptions>,
  prompts: readonly (readonly number[])[],
): Promise<number> {
  const llm = new LLM({ ...options, model, device: "cpu" });
  const scored = new SamplingParams({ maxTokens: 1, temperature: 0, promptLogprobs: 0 });
  const outputs = await llm.generate(prompts, scored);
  await llm.close();
  let nats = 0;
  for (const { promptLogprobs = [] } of outputs)
    for (const { chosen } of promptLogprobs) nats -= chosen;
  return nats;
}

await main();
