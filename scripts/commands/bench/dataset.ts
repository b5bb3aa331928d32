/** The requests of a bench run, by the dataset's name. */
import { loadTokenizer } from "../../../models/tokenizer/tokenizer.ts";
import type { ServerAccess } from "../../load/ask.ts";
import { SAMPLE_WORDS, serverWords } from "../../load/server.ts";
import { UsageError } from "../../usage.ts";
import { elementsOf, linesOf } from "../../workload/lines.ts";
import { prefixRepetitionRequests } from "../../workload/prefix-repetition.ts";
import { Random } from "../../workload/random.ts";
import { randomRequests } from "../../workload/random-dataset.ts";
import { plainIds, type Words, type WorkRequest } from "../../workload/request.ts";
import {
  customRequests,
  oversample,
  readText,
  shareGptRequests,
  sonnetRequests,
} from "../../workload/text-datasets.ts";
import { parseTrace } from "../../workload/traces/formats.ts";
import { TracePrompts, traceRequests } from "../../workload/traces/trace.ts";
import type { BenchOptions } from "./flags.ts";

/** Ids that exist in every vocabulary of a thousand. */
const FALLBACK = { first: 100, end: 1000 };

/** Of --tokenizer, else of the server, else ids that any vocabulary has. */
export async function wordsFor(
  options: BenchOptions,
  server: ServerAccess,
  model: string,
): Promise<Words> {
  if (options.tokenizer !== undefined) {
    const tokenizer = loadTokenizer(options.tokenizer);
    if (tokenizer === undefined) {
      throw new UsageError(`--tokenizer ${options.tokenizer} has no tokenizer.json.`);
    }
    return {
      ids: plainIds(tokenizer.vocabSize, tokenizer.specialIds),
      encode: async (text) => tokenizer.encode(text, { addSpecialTokens: false }),
      decode: async (ids) => tokenizer.decode(ids),
    };
  }
  const served = await serverWords(server, model);
  if (served !== undefined) return served;
  const { first, end } = FALLBACK;
  return { ids: { length: end - first, at: (index) => first + index } };
}

export async function benchRequests(options: BenchOptions, words: Words): Promise<WorkRequest[]> {
  const random = new Random(options.seed);
  const requests = await draw(options, words, random);
  const count = options.numPrompts;
  if (requests.length >= count) return requests.slice(0, count);
  // A timed trace has its own length; repeating arrivals would make no sense.
  if (!options.oversample || options.dataset === "timed_trace") return requests;
  return oversample(requests, count, random);
}

async function draw(options: BenchOptions, words: Words, random: Random): Promise<WorkRequest[]> {
  const count = options.numPrompts;
  switch (options.dataset) {
    case "random":
      return randomRequests(count, { ...options.random, meaning: "vllm" }, words, random);
    case "prefix_repetition":
      return prefixRepetitionRequests(count, options.prefixRepetition, words, random);
    case "sonnet": {
      const lines = (await readText(pathOf(options)))
        .split("\n")
        .filter((line) => line.trim() !== "");
      return sonnetRequests(count, lines, options.sonnet, words, random);
    }
    case "sharegpt": {
      const outputLen = options.shareGptOutputLen;
      return shareGptRequests(count, elementsOf(pathOf(options)), words, random, {
        ...(outputLen === undefined ? {} : { outputLen }),
      });
    }
    case "custom":
      return customRequests(count, linesOf(pathOf(options)), words, random, {
        outputLen: options.customOutputLen,
        shuffle: options.shuffle,
      });
    case "timed_trace":
      return traceRequests(
        cut(
          await parseTrace("timed_trace", linesOf(pathOf(options)), {
            seed: options.seed,
            timed: options.timedTrace,
          }),
          count,
        ),
        words,
        options.seed,
      );
    case "burstgpt": {
      const model = options.burstGptModel;
      const trace = await parseTrace("burstgpt", linesOf(pathOf(options)), {
        seed: options.seed,
        ...(model === "all" ? {} : { model }),
      });
      const chosen = random.shuffled(trace.requests).slice(0, count);
      const prompts = new TracePrompts(trace, words, options.seed);
      return chosen.map((request, index) => ({
        prompt: { type: "ids", ids: prompts.ids(request, index) },
        promptTokens: request.inputTokens,
        outputTokens: request.outputTokens,
      }));
    }
  }
}

function cut<T extends { readonly requests: readonly unknown[] }>(trace: T, count: number): T {
  return { ...trace, requests: trace.requests.slice(0, count) };
}

function pathOf(options: BenchOptions): string {
  if (options.datasetPath === undefined) {
    throw new UsageError(`--dataset-name ${options.dataset} needs --dataset-path.`);
  }
  return options.datasetPath;
}

/** Text prompts for those who take no ids. Without a decoder: plain words, about one token each. */
export async function asText(
  requests: readonly WorkRequest[],
  words: Words,
): Promise<WorkRequest[]> {
  const spoken = SAMPLE_WORDS.trim().split(" ");
  return Promise.all(
    requests.map(async (request) => {
      if (request.prompt.type !== "ids") return request;
      const { ids } = request.prompt;
      const text =
        words.decode === undefined
          ? Array.from(ids, (id) => spoken[id % spoken.length]).join(" ")
          : await words.decode(ids);
      return { ...request, prompt: { type: "text", text } as const };
    }),
  );
}
