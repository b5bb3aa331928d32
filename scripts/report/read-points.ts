/** Points out of files: those of `sweep`, lists of them, saved pages, and results of `bench serve`, this project's or vLLM's. */
import type { LatencyQuantiles, Point } from "./point.ts";
import { isPoint } from "./point-shape.ts";
import { savedStateIn } from "./saved-state.ts";

/** All that a file's text holds: JSON, or a saved page. Throws what is wrong with the JSON. */
export function pointsOfText(text: string): readonly Point[] {
  if (!text.trimStart().startsWith("<")) return pointsIn(JSON.parse(text) as unknown);
  return (savedStateIn(text)?.runs ?? []).flatMap(({ points }) => pointsIn(points));
}

/** All that a parsed file holds; none where it is something else. */
export function pointsIn(body: unknown): readonly Point[] {
  if (Array.isArray(body)) return body.flatMap(pointsIn);
  if (typeof body !== "object" || body === null) return [];
  if ("points" in body) return pointsIn(body.points);
  const { trainyard } = body as { trainyard?: { point?: unknown } };
  const point = trainyard?.point ?? body;
  if (isPoint(point)) return [point];
  const measured = pointOfResult(body as Readonly<Record<string, unknown>>);
  return measured === undefined ? [] : [measured];
}

/** A run against a live server, as `vllm bench serve` saves it; undefined: it is none. */
function pointOfResult(result: Readonly<Record<string, unknown>>): Point | undefined {
  const text = (key: string): string => {
    const value = result[key];
    return typeof value === "string" ? value : "";
  };
  const number = (key: string): number => {
    const value = result[key];
    return typeof value === "number" ? value : Number.NaN;
  };
  const completed = number("completed");
  const duration = number("duration");
  if (!(completed >= 0 && duration > 0 && Number.isFinite(number("output_throughput")))) {
    return undefined;
  }
  const each = (key: string): number => Math.round(number(key) / Math.max(1, completed));
  const concurrency = number("max_concurrency");
  const tpot = quantilesOf(number, "tpot");
  const inputLen = each("total_input_tokens");
  const outputLen = each("total_output_tokens");
  const backend = text("backend");
  return {
    identity: {
      model: text("model_id"),
      server: text("label") || backend,
      workload: `${inputLen} in / ${outputLen} out`,
    },
    series: text("label") || backend,
    model: text("model_id"),
    simulated: false,
    framework: backend,
    instance: "",
    tensorParallel: undefined,
    dataParallel: undefined,
    expertParallel: undefined,
    kernels: "",
    precision: "",
    speculation: "",
    chips: undefined,
    inputLen,
    outputLen,
    concurrency: concurrency > 0 ? concurrency : number("num_prompts"),
    requests: number("num_prompts"),
    warmups: 0,
    seed: 0,
    duration,
    completed,
    failed: number("failed") || 0,
    requestThroughput: number("request_throughput"),
    inputThroughput: number("total_input_tokens") / duration,
    outputThroughput: number("output_throughput"),
    totalThroughput: number("total_token_throughput"),
    latency: {
      ttft: quantilesOf(number, "ttft"),
      tpot,
      itl: quantilesOf(number, "itl"),
      e2el: quantilesOf(number, "e2el"),
    },
    meanUserRate: 1000 / tpot.mean,
    preemptions: 0,
    notices: [],
  };
}

function quantilesOf(number: (key: string) => number, name: string): LatencyQuantiles {
  const of = (what: string): number => number(`${what}_${name}_ms`);
  return {
    mean: of("mean"),
    median: of("median"),
    std: of("std"),
    p90: of("p90"),
    p95: of("p95"),
    p99: of("p99"),
    p999: of("p99.9"),
  };
}
