/** What `trainyard bench serve` is asked for, from its flags. */
import type { Goodput, Latency } from "../../load/metrics.ts";
import { UsageError } from "../../usage.ts";
import type { Ramp } from "../../workload/arrivals.ts";
import type { TimedTraceOptions } from "../../workload/traces/timed-trace.ts";
import { type FlagValues, parseFlags } from "../flags.ts";
import { BENCH_FLAGS, type DATASETS } from "./rows.ts";

type Values = FlagValues<typeof BENCH_FLAGS>;
type Optional<K extends string, V> = { readonly [key in K]?: V };

export interface BenchOptions {
  readonly backend: Values["backend"];
  readonly baseUrl: string;
  readonly endpoint: string;
  readonly model?: string;
  readonly servedModelName?: string;
  readonly tokenizer?: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Readonly<Record<string, unknown>>;
  readonly insecure: boolean;
  readonly numPrompts: number;
  readonly requestRate: number;
  readonly burstiness: number;
  readonly maxConcurrency?: number;
  readonly ramp?: Ramp;
  readonly numWarmups: number;
  readonly readyTimeout: number;
  readonly selfTimed: boolean;
  readonly dataset: (typeof DATASETS)[number];
  readonly datasetPath?: string;
  readonly shuffle: boolean;
  readonly oversample: boolean;
  readonly random: {
    readonly inputLen: number;
    readonly outputLen: number;
    readonly inputRatio: number;
    readonly outputRatio: number;
    readonly prefixLen: number;
  };
  readonly sonnet: {
    readonly inputLen: number;
    readonly outputLen: number;
    readonly prefixLen: number;
  };
  readonly shareGptOutputLen?: number;
  readonly customOutputLen: number;
  readonly prefixRepetition: {
    readonly prefixLen: number;
    readonly suffixLen: number;
    readonly prefixes: number;
    readonly outputLen: number;
  };
  readonly burstGptModel: string;
  readonly timedTrace: TimedTraceOptions;
  readonly seed: number;
  readonly latencies: readonly Latency[];
  readonly percentiles: readonly number[];
  readonly goodput?: Goodput;
  readonly saveResult: boolean;
  readonly saveDetailed: boolean;
  readonly appendResult: boolean;
  readonly resultDir: string;
  readonly resultFilename?: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly label?: string;
  readonly profile: boolean;
  readonly requestIdPrefix?: string;
  readonly progress: boolean;
}

export function parseBench(argv: readonly string[], print: (text: string) => void): BenchOptions {
  const { values } = parseFlags(
    {
      name: "trainyard bench serve",
      sentence:
        "Load an OpenAI-compatible server; flags, metrics and result file of `vllm bench serve`.",
      flags: BENCH_FLAGS,
    },
    argv,
    print,
  );
  return optionsOf(values);
}

function optionsOf(values: Values): BenchOptions {
  const chat = values.backend === "openai-chat";
  const dataset = values["dataset-name"];
  const ramp = rampOf(values);
  const goodput = goodputOf(values.goodput);
  const apiKey = process.env["OPENAI_API_KEY"];
  return {
    backend: values.backend,
    baseUrl: (values["base-url"] ?? `http://${values.host}:${values.port}`).replace(/\/$/, ""),
    endpoint: values.endpoint ?? (chat ? "/v1/chat/completions" : "/v1/completions"),
    headers: {
      ...(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }),
      ...pairs(values.header, "--header"),
    },
    body: bodyOf(values),
    insecure: values.insecure,
    numPrompts: values["num-prompts"],
    requestRate: values["request-rate"],
    burstiness: values.burstiness,
    numWarmups: values["num-warmups"],
    readyTimeout: values["ready-check-timeout-sec"],
    selfTimed: values["self-timed"] || dataset === "timed_trace",
    dataset,
    shuffle: !values["disable-shuffle"],
    oversample: values.oversample,
    ...datasetOptions(values),
    seed: values.seed,
    latencies: values["percentile-metrics"],
    percentiles: values["metric-percentiles"],
    saveResult: values["save-result"],
    saveDetailed: values["save-detailed"],
    appendResult: values["append-result"],
    resultDir: values["result-dir"],
    metadata: pairs(values.metadata, "--metadata"),
    profile: values.profile,
    progress: !values["disable-tqdm"],
    ...optional("maxConcurrency", values["max-concurrency"]),
    ...optional("ramp", ramp),
    ...optional("goodput", goodput),
    ...optional("model", values.model),
    ...optional("servedModelName", values["served-model-name"]),
    ...optional("tokenizer", values.tokenizer),
    ...optional("datasetPath", values["dataset-path"]),
    ...optional("resultFilename", values["result-filename"]),
    ...optional("label", values.label),
    ...optional("requestIdPrefix", values["request-id-prefix"]),
  };
}

/** `--input-len` and `--output-len` win over every dataset's own. */
function datasetOptions(values: Values) {
  const input = (own: number): number => values["input-len"] ?? own;
  const output = (own: number): number => values["output-len"] ?? own;
  const ratios = values["random-range-ratio"];
  return {
    random: {
      inputLen: input(values["random-input-len"]),
      outputLen: output(values["random-output-len"]),
      inputRatio: ratios.input,
      outputRatio: ratios.output,
      prefixLen: values["random-prefix-len"],
    },
    sonnet: {
      inputLen: input(values["sonnet-input-len"]),
      outputLen: output(values["sonnet-output-len"]),
      prefixLen: values["sonnet-prefix-len"],
    },
    ...optional("shareGptOutputLen", values["sharegpt-output-len"] ?? values["output-len"]),
    customOutputLen: output(values["custom-output-len"]),
    prefixRepetition: {
      prefixLen: values["prefix-repetition-prefix-len"],
      suffixLen: values["prefix-repetition-suffix-len"],
      prefixes: values["prefix-repetition-num-prefixes"],
      outputLen: output(values["prefix-repetition-output-len"]),
    },
    burstGptModel: values["burstgpt-model"],
    timedTrace: {
      blockTokens: values["timed-trace-chunk-hash-size"],
      seconds: values["timed-trace-sec-multiplier"],
      labels: {
        timestamp: values["timed-trace-label-timestamp"],
        inputLength: values["timed-trace-label-input-length"],
        outputLength: values["timed-trace-label-output-length"],
        hashIds: values["timed-trace-label-hash-ids"],
      },
    },
  };
}

const SAMPLING = [
  "temperature",
  "top-p",
  "top-k",
  "min-p",
  "frequency-penalty",
  "presence-penalty",
  "repetition-penalty",
  "logprobs",
] as const;

function bodyOf(values: Values): Record<string, unknown> {
  const body: Record<string, unknown> = {};
  for (const flag of SAMPLING) {
    const value = values[flag];
    if (value !== undefined) body[flag.replaceAll("-", "_")] = value;
  }
  if (values["ignore-eos"]) body["ignore_eos"] = true;
  return { ...body, ...values["extra-body"] };
}

function rampOf(values: Values): Ramp | undefined {
  const strategy = values["ramp-up-strategy"];
  if (strategy === undefined) return undefined;
  const startRps = values["ramp-up-start-rps"];
  const endRps = values["ramp-up-end-rps"];
  if (startRps === undefined || endRps === undefined) {
    throw new UsageError("--ramp-up-strategy needs --ramp-up-start-rps and --ramp-up-end-rps.");
  }
  if (values["request-rate"] !== Number.POSITIVE_INFINITY) {
    throw new UsageError("--request-rate has no effect with a ramp: leave it out.");
  }
  if (!(endRps > startRps) || (strategy === "exponential" && startRps === 0)) {
    throw new UsageError("The ramp must rise, and an exponential one must start above 0.");
  }
  // A first rate of 0 would never send: begin with the second request's share.
  return { strategy, startRps: startRps === 0 ? endRps / 1000 : startRps, endRps };
}

const LIMITS = ["ttft", "tpot", "e2el"] as const;

function goodputOf(given: readonly string[]): Goodput | undefined {
  if (given.length === 0) return undefined;
  const limits: Partial<Record<(typeof LIMITS)[number], number>> = {};
  for (const part of given) {
    const [name, limit] = part.split(":");
    const known = LIMITS.find((its) => its === name);
    const value = Number(limit);
    if (known === undefined || limit === undefined || limit === "" || !(value >= 0)) {
      throw new UsageError(
        `--goodput takes ${LIMITS.join(", ")} with :milliseconds, not "${part}".`,
      );
    }
    limits[known] = value;
  }
  return limits;
}

/** Of a header no value is repeated: it may be a key. */
function pairs(given: readonly string[], flag: string): Record<string, string> {
  return Object.fromEntries(
    given.map((pair) => {
      const at = pair.indexOf("=");
      if (at < 1) {
        throw new UsageError(
          `${flag} takes key=value${flag === "--header" ? "" : `, not "${pair}"`}.`,
        );
      }
      return [pair.slice(0, at), pair.slice(at + 1)];
    }),
  );
}

function optional<K extends string, V>(key: K, value: V | undefined): Optional<K, V> {
  return (value === undefined ? {} : { [key]: value }) as Optional<K, V>; // one key, as typed
}
