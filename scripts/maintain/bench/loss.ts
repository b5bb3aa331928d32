/**
 * What quantisation costs: bits per UTF-8 byte of held-out text, through this
 * project's own engine and cpu device, for each format of the weights.
 *
 *     npx tsx scripts/maintain/bench/loss.ts [--model FOLDER] [--stories N]
 *
 * Each story stands alone between end-of-text tokens; its own end is counted.
 * Data: TinyStories' `v1-valid` part in `corpus-tinystories` under TRAINYARD_DATA.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { gunzipSync } from "node:zlib";
import { loadTokenizer } from "../../../models/tokenizer/tokenizer.ts";
import { LLM, SamplingParams } from "../../../server/library.ts";

const FORMATS = [undefined, "int8", "int4"] as const;

const { values: flags } = parseArgs({
  options: {
    model: {
      type: "string",
      default: fileURLToPath(new URL("../../../models/bundled/trainyard-tiny", import.meta.url)),
    },
    stories: { type: "string", default: "953" },
  },
});

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

const tokenizer = loadTokenizer(flags.model);
if (tokenizer === undefined) throw new Error(`${flags.model} has no tokenizer.json`);
const END = "<|endoftext|>";
const CONTEXT = 1024;
const scored = new SamplingParams({ maxTokens: 1, temperature: 0, promptLogprobs: 0 });

let bytes = 0;
const prompts: (readonly number[])[] = [];
for (const story of heldOut().slice(0, Number(flags.stories))) {
  const ids = await tokenizer.encode(`${END}${story}${END}`, { addSpecialTokens: false });
  if (ids.length >= CONTEXT) continue;
  prompts.push([...ids]);
  bytes += Buffer.byteLength(story);
}
process.stdout.write(`${prompts.length} stories, ${bytes} bytes\n`);
for (const quantization of FORMATS) {
  const llm = new LLM({
    model: flags.model,
    device: "cpu",
    ...(quantization !== undefined && { quantization }),
  });
  const outputs = await llm.generate(prompts, scored);
  await llm.close();
  let nats = 0;
  for (const { promptLogprobs = [] } of outputs) {
    for (const { chosen } of promptLogprobs) nats -= chosen;
  }
  const bits = nats / Math.LN2 / bytes;
  process.stdout.write(`${quantization ?? "f32"}: ${bits.toFixed(4)} bits per byte\n`);
}
