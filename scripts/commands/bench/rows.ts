/** The flags of `trainyard bench serve`: names and defaults of `vllm bench serve`. */
import { atLeast, rowsOf } from "../../../server/settings/row.ts";
import { LATENCIES } from "../../load/metrics.ts";
import { TIMED_TRACE } from "../../workload/traces/timed-trace.ts";
import { count, list } from "../kinds.ts";

export const DATASETS = [
  "random",
  "sonnet",
  "sharegpt",
  "custom",
  "prefix_repetition",
  "timed_trace",
  "burstgpt",
] as const;

const server = rowsOf("Server");
const load = rowsOf("Load");
const data = rowsOf("Dataset");
const sampling = rowsOf("Sampling");
const output = rowsOf("Result");

type Rows = ReturnType<typeof rowsOf>;

/** `inf` is a number here. */
function rate<D extends number | undefined>(rows: Rows, fallback: D, sentence: string) {
  return rows.of<D | number>("X|inf", fallback, sentence, (text) => {
    const value = text === "inf" ? Number.POSITIVE_INFINITY : Number(text);
    if (text === "" || !(value > 0)) throw new Error("must be a number above 0, or inf");
    return value;
  });
}

/** At least one, at most what an array holds. */
const length = (fallback: number, sentence: string) => count(data, fallback, sentence);
const whole = (fallback: number, sentence: string) => data.integer(fallback, sentence);

export const BENCH_FLAGS = {
  backend: server.choice(["openai", "vllm", "openai-chat"], "openai", "shape of the requests"),
  "base-url": server.text(undefined, "instead of --host and --port", { value: "URL" }),
  host: server.text("127.0.0.1", "of the server"),
  port: server.integer(8000, "of the server", {
    check: (port) => (port > 0 && port < 65_536 ? undefined : "must be in 1 to 65535"),
  }),
  endpoint: server.text(
    undefined,
    "default /v1/completions, /v1/chat/completions with openai-chat",
    {
      value: "PATH",
    },
  ),
  model: server.text(undefined, "default: the first of GET /v1/models", { value: "ID" }),
  "served-model-name": server.text(undefined, "name sent in requests", { value: "ID" }),
  tokenizer: server.text(undefined, "folder with tokenizer.json; default: the server's /tokenize", {
    value: "FOLDER",
  }),
  // Headers carry keys as often as not.
  header: server.list([], "sent with each request, KEY=VALUE", { secret: true }),
  "extra-body": server.json(undefined, "merged into each body"),
  insecure: server.toggle(false, "accept any TLS certificate"),
  "ready-check-timeout-sec": server.number(0, "wait for a first good answer", {
    check: atLeast(0),
  }),

  "num-prompts": count(load, 1000, "requests sent"),
  "request-rate": rate(load, Number.POSITIVE_INFINITY, "requests a second; inf: all at once"),
  burstiness: rate(load, 1, "shape of the gamma gaps; 1: Poisson, inf: equal gaps"),
  "max-concurrency": count(load, undefined, "requests under way at most"),
  "ramp-up-strategy": load.choice(
    ["linear", "exponential"],
    undefined,
    "how the request rate grows from start to end",
  ),
  "ramp-up-start-rps": load.number(undefined, "requests a second at the start", {
    check: atLeast(0),
  }),
  "ramp-up-end-rps": load.number(undefined, "requests a second at the end", { check: atLeast(0) }),
  "num-warmups": load.integer(0, "requests before the measured ones"),
  "self-timed": load.toggle(false, "requests bring their arrival (timed_trace)"),
  profile: load.toggle(false, "POST /start_profile before, /stop_profile after"),
  "request-id-prefix": load.text(undefined, "x-request-id of each request"),
  "disable-tqdm": load.toggle(false, "no progress bar"),
  seed: load.integer(0, "of prompts, lengths and arrivals"),

  "dataset-name": data.choice(DATASETS, "random", "where prompts come from"),
  "dataset-path": data.text(undefined, "also .gz", { value: "FILE" }),
  "disable-shuffle": data.toggle(false, "keep the dataset's order"),
  oversample: data.toggle(true, "do not repeat a short dataset"),
  "input-len": count(data, undefined, "for every dataset that has one"),
  "output-len": count(data, undefined, "for every dataset that has one"),
  "random-input-len": length(1024, "tokens of a random prompt"),
  "random-output-len": length(128, "tokens asked for by a random prompt"),
  "random-range-ratio": data.of<{ readonly input: number; readonly output: number }>(
    "R",
    { input: 0, output: 0 },
    'number, or {"input": r, "output": r}; lengths in [L(1−r), L(1+r)]',
    rangeRatios,
  ),
  "random-prefix-len": whole(0, "tokens that all prompts share"),
  "sonnet-input-len": length(550, "tokens of a prompt of lines"),
  "sonnet-output-len": length(150, "tokens asked for by it"),
  "sonnet-prefix-len": whole(200, "tokens of lines that all prompts share"),
  "sharegpt-output-len": count(data, undefined, "instead of the dataset's"),
  "custom-output-len": data.integer(256, "−1: each line's output_tokens", {
    check: (value) => (value > 0 || value === -1 ? undefined : "must be at least 1, or -1"),
  }),
  "prefix-repetition-prefix-len": length(256, "tokens of a prefix"),
  "prefix-repetition-suffix-len": length(256, "tokens after it, of each request its own"),
  "prefix-repetition-num-prefixes": length(10, "prefixes that requests share"),
  "prefix-repetition-output-len": length(128, "tokens asked for"),
  "burstgpt-model": data.text("GPT-4", "rows kept; all: every row", { value: "NAME" }),
  "timed-trace-chunk-hash-size": length(
    TIMED_TRACE.blockTokens,
    "tokens of a hash: 16 in Qwen's traces, 512 in Moonshot's",
  ),
  "timed-trace-sec-multiplier": data.number(
    TIMED_TRACE.seconds,
    "seconds in a unit of the timestamps: 0.001 for milliseconds",
    { check: (value) => (value > 0 ? undefined : "must be above 0") },
  ),
  "timed-trace-label-timestamp": data.text(TIMED_TRACE.labels.timestamp, "key of the arrival"),
  "timed-trace-label-input-length": data.text(
    TIMED_TRACE.labels.inputLength,
    "key of the prompt's tokens",
  ),
  "timed-trace-label-output-length": data.text(
    TIMED_TRACE.labels.outputLength,
    "key of the answer's tokens",
  ),
  "timed-trace-label-hash-ids": data.text(TIMED_TRACE.labels.hashIds, "key of the prompt's blocks"),

  "ignore-eos": sampling.toggle(false, "answers run to their length"),
  temperature: sampling.number(undefined, "absent: the server's"),
  "top-p": sampling.number(undefined, "absent: the server's"),
  "top-k": sampling.number(undefined, "absent: the server's"),
  "min-p": sampling.number(undefined, "absent: the server's"),
  "frequency-penalty": sampling.number(undefined, "absent: the server's"),
  "presence-penalty": sampling.number(undefined, "absent: the server's"),
  "repetition-penalty": sampling.number(undefined, "absent: the server's"),
  logprobs: sampling.integer(undefined, "asked for of each token"),

  "percentile-metrics": output.of(
    "NAMES",
    ["ttft", "tpot", "itl"] as readonly (typeof LATENCIES)[number][],
    "ttft, tpot, itl, e2el, by comma",
    (text) =>
      list(text).map((name) => {
        const found = LATENCIES.find((known) => known === name);
        if (found === undefined) throw new Error(`takes ${LATENCIES.join(", ")}`);
        return found;
      }),
  ),
  "metric-percentiles": output.of<readonly number[]>("P,P", [99], "by comma", (text) =>
    list(text).map((part) => {
      const value = Number(part);
      if (part === "" || !(value >= 0 && value <= 100)) throw new Error("takes 0 to 100");
      return value;
    }),
  ),
  goodput: output.list([], "limits, ttft:MS tpot:MS e2el:MS"),
  "save-result": output.toggle(false, "write the result as JSON"),
  "save-detailed": output.toggle(false, "with each request's figures"),
  "append-result": output.toggle(false, "add to the file instead of replacing it"),
  "result-dir": output.text(".", "where results are written", { value: "FOLDER" }),
  "result-filename": output.text(undefined, "absent: named by time and load", { value: "NAME" }),
  metadata: output.list([], "added to the result, KEY=VALUE"),
  label: output.text(undefined, "of the result's name and file"),
  "trust-remote-code": output.toggle(false, "no effect: nothing remote is run"),
} as const;

function rangeRatios(text: string): { input: number; output: number } {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    parsed = undefined;
  }
  const pair = typeof parsed === "number" ? { input: parsed, output: parsed } : parsed;
  const { input, output: out } = (pair ?? {}) as { input?: unknown; output?: unknown };
  const inRange = (value: unknown): value is number =>
    typeof value === "number" && value >= 0 && value < 1;
  if (inRange(input) && inRange(out)) return { input, output: out };
  throw new Error('takes a number in [0, 1), or {"input": r, "output": r}');
}
