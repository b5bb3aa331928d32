/** Flags of `trainyard bench serve`: names and defaults of `vllm bench serve`. */

import { type Goodput, LATENCIES, type Latency } from "../../load/metrics.ts";
import { UsageError } from "../../usage.ts";
import type { Ramp } from "../../workload/arrivals.ts";
import { benchCommand, DATASETS, type DatasetName, dashed } from "./command.ts";

/** Bad usage, or help that was asked for (code 0). */

export interface BenchOptions {
  readonly backend: "openai" | "vllm" | "openai-chat";
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
  readonly dataset: DatasetName;
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

type Given = Readonly<Record<string, string | boolean | readonly string[] | undefined>>;

export function parseBench(argv: readonly string[], print: (text: string) => void): BenchOptions {
  const command = benchCommand(print);
  command.parse(argv.map(dashed), { from: "user" });
  return optionsOf(command.opts<Given>());
}

function optionsOf(given: Given): BenchOptions {
  const text = (name: string): string | undefined => {
    const value = given[name];
    return typeof value === "string" ? value : undefined;
  };
  const number = (name: string, flag: string): number | undefined => {
    const value = text(name);
    if (value === undefined) return undefined;
    const parsed = value === "inf" ? Number.POSITIVE_INFINITY : Number(value);
    if (Number.isNaN(parsed)) throw new UsageError(`${flag} takes a number, not "${value}".`);
    return parsed;
  };
  const whole = (name: string, flag: string): number => {
    const value = number(name, flag);
    if (value === undefined || !Number.isInteger(value)) {
      throw new UsageError(`${flag} takes a whole number, not "${String(given[name])}".`);
    }
    return value;
  };
  const length = (name: string, flag: string, shared: "inputLen" | "outputLen"): number =>
    given[shared] === undefined ? whole(name, flag) : whole(shared, `--${kebab(shared)}`);
  const chat = text("backend") === "openai-chat";
  const dataset = oneOf(DATASETS, text("datasetName"), "--dataset-name");
  const ratios = rangeRatios(text("randomRangeRatio") ?? "0");
  const apiKey = process.env["OPENAI_API_KEY"];
  const options = {
    backend: oneOf(["openai", "vllm", "openai-chat"] as const, text("backend"), "--backend"),
    baseUrl: (text("baseUrl") ?? `http://${text("host")}:${text("port")}`).replace(/\/$/, ""),
    endpoint: text("endpoint") ?? (chat ? "/v1/chat/completions" : "/v1/completions"),
    headers: {
      ...(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }),
      ...pairs(given["header"], "--header"),
    },
    body: bodyOf(given, number),
    insecure: given["insecure"] === true,
    numPrompts: whole("numPrompts", "--num-prompts"),
    requestRate: number("requestRate", "--request-rate") ?? Number.POSITIVE_INFINITY,
    burstiness: number("burstiness", "--burstiness") ?? 1,
    numWarmups: whole("numWarmups", "--num-warmups"),
    readyTimeout: number("readyCheckTimeoutSec", "--ready-check-timeout-sec") ?? 0,
    selfTimed: given["selfTimed"] === true || dataset === "timed_trace",
    dataset,
    shuffle: given["disableShuffle"] !== true,
    oversample: given["oversample"] !== false,
    random: {
      inputLen: length("randomInputLen", "--random-input-len", "inputLen"),
      outputLen: length("randomOutputLen", "--random-output-len", "outputLen"),
      inputRatio: ratios.input,
      outputRatio: ratios.output,
      prefixLen: whole("randomPrefixLen", "--random-prefix-len"),
    },
    sonnet: {
      inputLen: length("sonnetInputLen", "--sonnet-input-len", "inputLen"),
      outputLen: length("sonnetOutputLen", "--sonnet-output-len", "outputLen"),
      prefixLen: whole("sonnetPrefixLen", "--sonnet-prefix-len"),
    },
    customOutputLen: length("customOutputLen", "--custom-output-len", "outputLen"),
    prefixRepetition: {
      prefixLen: whole("prefixRepetitionPrefixLen", "--prefix-repetition-prefix-len"),
      suffixLen: whole("prefixRepetitionSuffixLen", "--prefix-repetition-suffix-len"),
      prefixes: whole("prefixRepetitionNumPrefixes", "--prefix-repetition-num-prefixes"),
      outputLen: length("prefixRepetitionOutputLen", "--prefix-repetition-output-len", "outputLen"),
    },
    burstGptModel: text("burstgptModel") ?? "GPT-4",
    seed: whole("seed", "--seed"),
    latencies: (text("percentileMetrics") ?? "")
      .split(",")
      .filter((name) => name !== "")
      .map((name) => oneOf(LATENCIES, name, "--percentile-metrics")),
    percentiles: (text("metricPercentiles") ?? "99").split(",").map((part) => {
      const value = Number(part);
      if (!(value >= 0 && value <= 100)) {
        throw new UsageError(`--metric-percentiles takes 0 to 100, not "${part}".`);
      }
      return value;
    }),
    saveResult: given["saveResult"] === true,
    saveDetailed: given["saveDetailed"] === true,
    appendResult: given["appendResult"] === true,
    resultDir: text("resultDir") ?? ".",
    metadata: pairs(given["metadata"], "--metadata"),
    profile: given["profile"] === true,
    progress: given["disableTqdm"] !== true,
  };
  const maxConcurrency = number("maxConcurrency", "--max-concurrency");
  const shareGpt =
    number("sharegptOutputLen", "--sharegpt-output-len") ?? number("outputLen", "--output-len");
  const ramp = rampOf(text("rampUpStrategy"), number);
  const goodput = goodputOf(given["goodput"]);
  const named = (key: string, name: string): Record<string, string> => {
    const value = text(name);
    return value === undefined ? {} : { [key]: value };
  };
  return {
    ...options,
    ...(maxConcurrency === undefined ? {} : { maxConcurrency }),
    ...(shareGpt === undefined ? {} : { shareGptOutputLen: shareGpt }),
    ...(ramp === undefined ? {} : { ramp }),
    ...(goodput === undefined ? {} : { goodput }),
    ...named("model", "model"),
    ...named("servedModelName", "servedModelName"),
    ...named("tokenizer", "tokenizer"),
    ...named("datasetPath", "datasetPath"),
    ...named("resultFilename", "resultFilename"),
    ...named("label", "label"),
    ...named("requestIdPrefix", "requestIdPrefix"),
  };
}

type NumberFlag = (name: string, flag: string) => number | undefined;

const SAMPLING = {
  temperature: "temperature",
  topP: "top_p",
  topK: "top_k",
  minP: "min_p",
  frequencyPenalty: "frequency_penalty",
  presencePenalty: "presence_penalty",
  repetitionPenalty: "repetition_penalty",
  logprobs: "logprobs",
} as const;

function bodyOf(given: Given, number: NumberFlag): Record<string, unknown> {
  const body: Record<string, unknown> = {};
  for (const [name, key] of Object.entries(SAMPLING)) {
    const value = number(name, `--${kebab(name)}`);
    if (value !== undefined) body[key] = value;
  }
  if (given["ignoreEos"] === true) body["ignore_eos"] = true;
  const extra = given["extraBody"];
  if (typeof extra === "string") {
    const parsed: unknown = parseJson(extra, "--extra-body");
    if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) {
      throw new UsageError("--extra-body must be a JSON object.");
    }
    Object.assign(body, parsed);
  }
  return body;
}

function rampOf(strategy: string | undefined, number: NumberFlag): Ramp | undefined {
  if (strategy === undefined) return undefined;
  const kind = oneOf(["linear", "exponential"] as const, strategy, "--ramp-up-strategy");
  const startRps = number("rampUpStartRps", "--ramp-up-start-rps");
  const endRps = number("rampUpEndRps", "--ramp-up-end-rps");
  if (startRps === undefined || endRps === undefined) {
    throw new UsageError("--ramp-up-strategy needs --ramp-up-start-rps and --ramp-up-end-rps.");
  }
  if (number("requestRate", "--request-rate") !== Number.POSITIVE_INFINITY) {
    throw new UsageError("--request-rate has no effect with a ramp: leave it out.");
  }
  if (!(startRps >= 0) || !(endRps > startRps) || (kind === "exponential" && startRps === 0)) {
    throw new UsageError("The ramp must rise, and an exponential one must start above 0.");
  }
  // A first rate of 0 would never send: begin with the second request's share.
  return { strategy: kind, startRps: startRps === 0 ? endRps / 1000 : startRps, endRps };
}

function goodputOf(given: Given[string]): Goodput | undefined {
  if (!Array.isArray(given)) return undefined;
  const limits: Partial<Record<"ttft" | "tpot" | "e2el", number>> = {};
  for (const part of given as readonly string[]) {
    const [name, limit] = part.split(":");
    const known = oneOf(["ttft", "tpot", "e2el"] as const, name, "--goodput");
    const value = Number(limit);
    if (!(value >= 0))
      throw new UsageError(`--goodput takes ${known}:milliseconds, not "${part}".`);
    limits[known] = value;
  }
  return limits;
}

function rangeRatios(text: string): { input: number; output: number } {
  const parsed: unknown = parseJson(text, "--random-range-ratio");
  if (typeof parsed === "number") return { input: parsed, output: parsed };
  const { input, output } = parsed as { input?: unknown; output?: unknown };
  if (typeof input === "number" && typeof output === "number") return { input, output };
  throw new UsageError('--random-range-ratio takes a number or {"input": r, "output": r}.');
}

function parseJson(text: string, flag: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new UsageError(`${flag} is not JSON: ${text}`);
  }
}

function pairs(given: Given[string], flag: string): Record<string, string> {
  if (!Array.isArray(given)) return {};
  return Object.fromEntries(
    (given as readonly string[]).map((pair) => {
      const at = pair.indexOf("=");
      if (at < 1) throw new UsageError(`${flag} takes key=value, not "${pair}".`);
      return [pair.slice(0, at), pair.slice(at + 1)];
    }),
  );
}

function oneOf<T extends string>(known: readonly T[], value: string | undefined, flag: string): T {
  const found = known.find((name) => name === value);
  if (found === undefined) {
    throw new UsageError(`${flag} "${value ?? ""}" is not known; known: ${known.join(", ")}.`);
  }
  return found;
}

function kebab(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
