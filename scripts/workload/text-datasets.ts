/**
 * Datasets of text: sonnet, ShareGPT's format, and custom JSON Lines, with the
 * selection rules of `vllm bench serve`. All of them need words that encode.
 */
import { readFile } from "node:fs/promises";
import { gunzipSync } from "node:zlib";
import { jsonLine, type Lines, numbered } from "./lines.ts";
import type { Random } from "./random.ts";
import type { Words, WorkRequest } from "./request.ts";

/** Text of a file, unpacked when its name ends in .gz. */
export async function readText(path: string): Promise<string> {
  const bytes = await readFile(path);
  return (path.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString("utf8");
}

export interface Sonnet {
  readonly inputLen: number;
  readonly outputLen: number;
  readonly prefixLen: number;
}

/** Prefix lines that all prompts share, then lines drawn at random, near `inputLen` tokens in all. */
export async function sonnetRequests(
  count: number,
  lines: readonly string[],
  options: Sonnet,
  words: Words,
  random: Random,
): Promise<WorkRequest[]> {
  const encode = encoder(words, "sonnet");
  const opening = "Pick as many lines as you can from these poem lines:\n";
  const counts = await Promise.all(lines.map(async (line) => (await encode(line)).length));
  const mean = counts.reduce((sum, tokens) => sum + tokens, 0) / Math.max(1, counts.length);
  const base = (await encode(opening)).length;
  if (options.inputLen <= base) throw new Error(`--sonnet-input-len must be above ${base}.`);
  if (options.prefixLen > options.inputLen) {
    throw new Error("--sonnet-prefix-len must not exceed --sonnet-input-len.");
  }
  const wanted = Math.round((options.inputLen - base) / mean);
  const shared = Math.max(0, Math.round((options.prefixLen - base) / mean));
  const prefix = lines.slice(0, shared);
  const requests: WorkRequest[] = [];
  while (requests.length < count) {
    const own = Array.from({ length: wanted - shared }, () => random.pick(lines));
    const text = opening + [...prefix, ...own].join("\n");
    requests.push({
      prompt: { type: "text", text },
      promptTokens: (await encode(text)).length,
      outputTokens: options.outputLen,
    });
  }
  return requests;
}

/** vLLM's bounds on a ShareGPT turn, in tokens. */
const SHAREGPT = { least: 4, mostPrompt: 1024, mostTotal: 2048 };

/** First turn asks, second turn gives the output length (unless `outputLen` does). */
export async function shareGptRequests(
  count: number,
  /** The elements of its JSON array. */
  entries: Iterable<unknown> | AsyncIterable<unknown>,
  words: Words,
  random: Random,
  options: { readonly outputLen?: number },
): Promise<WorkRequest[]> {
  const encode = encoder(words, "sharegpt");
  // Of each conversation only two turns are kept: the file may be larger than memory.
  const asked: { readonly ask: string; readonly answer: string }[] = [];
  for await (const entry of entries) {
    const turns = field(entry, "conversations");
    if (!Array.isArray(turns) || turns.length < 2) continue;
    const [ask, answer] = [field(turns[0], "value"), field(turns[1], "value")];
    if (typeof ask === "string" && typeof answer === "string") asked.push({ ask, answer });
  }
  if (asked.length === 0) {
    throw new Error(
      'The dataset has no conversation: ShareGPT\'s entries are {"conversations": [{"value": ask}, {"value": answer}]}.',
    );
  }
  const requests: WorkRequest[] = [];
  for (const { ask, answer } of random.shuffled(asked)) {
    if (requests.length === count) break;
    const prompt = (await encode(ask)).length;
    const output = options.outputLen ?? (await encode(answer)).length;
    if (prompt < SHAREGPT.least || prompt > SHAREGPT.mostPrompt) continue;
    if (options.outputLen === undefined && output < SHAREGPT.least) continue;
    if (prompt + output > SHAREGPT.mostTotal) continue;
    requests.push({
      prompt: { type: "text", text: ask },
      promptTokens: prompt,
      outputTokens: output,
    });
  }
  return requests;
}

/** JSON Lines of `{"prompt": …}`, optionally with `output_tokens`. */
export async function customRequests(
  count: number,
  jsonLines: Lines,
  words: Words,
  random: Random,
  options: { readonly outputLen: number; readonly shuffle: boolean },
): Promise<WorkRequest[]> {
  const encode = encoder(words, "custom");
  const lines: (readonly [string, number])[] = [];
  for await (const line of numbered(jsonLines)) {
    lines.push(line);
    if (!options.shuffle && lines.length === count) break;
  }
  const requests: WorkRequest[] = [];
  for (const [line, number] of options.shuffle ? random.shuffled(lines) : lines) {
    if (requests.length === count) break;
    const entry = jsonLine(line, number);
    const text = field(entry, "prompt");
    if (typeof text !== "string") {
      throw new Error(`A custom dataset's line needs a string "prompt": ${line.slice(0, 80)}`);
    }
    const output = field(entry, "output_tokens");
    requests.push({
      prompt: { type: "text", text },
      promptTokens: (await encode(text)).length,
      outputTokens:
        options.outputLen === -1 && typeof output === "number" ? output : options.outputLen,
    });
  }
  if (options.outputLen === -1 && requests.some((request) => request.outputTokens < 1)) {
    throw new Error("--custom-output-len -1 needs output_tokens on every line.");
  }
  return requests;
}

/** Fills up to `count` by repeating, as vLLM does unless `--no-oversample`. */
export function oversample(
  requests: readonly WorkRequest[],
  count: number,
  random: Random,
): WorkRequest[] {
  if (requests.length === 0) throw new Error("The dataset yields no usable request.");
  const out = requests.slice(0, count);
  while (out.length < count) out.push(random.pick(requests));
  return out;
}

function encoder(words: Words, dataset: string): (text: string) => Promise<Int32Array> {
  if (words.encode === undefined) {
    throw new Error(`--dataset-name ${dataset} needs --tokenizer, or a server with /tokenize.`);
  }
  return words.encode;
}

function field(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null
    ? (value as Readonly<Record<string, unknown>>)[name]
    : undefined;
}
