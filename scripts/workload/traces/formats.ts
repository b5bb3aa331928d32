/** Trace formats by name. A new one is a parser and a line here. */
import { type Lines, numbered } from "../lines.ts";
import { parseAzure } from "./azure.ts";
import { parseBailian } from "./bailian.ts";
import { parseBurstGpt } from "./burstgpt.ts";
import { parseMooncake } from "./mooncake.ts";
import { generateServeGen, parseServeGen } from "./servegen.ts";
import { parseTimedTrace, TIMED_TRACE, type TimedTraceOptions } from "./timed-trace.ts";
import type { Trace } from "./trace.ts";

export interface FormatOptions {
  /** Mean requests a second and span of the day, for formats that generate. */
  readonly rate?: number;
  readonly from?: number;
  readonly to?: number;
  readonly seed: number;
  /** Keep one model, for formats that name it. */
  readonly model?: string;
  /** Labels, unit and block size of `timed_trace`; absent: vLLM's defaults. */
  readonly timed?: TimedTraceOptions;
}

type Parser = (lines: Lines, options: FormatOptions) => Promise<Trace>;

const FORMATS: Readonly<Record<string, Parser>> = Object.freeze({
  azure: (lines) => parseAzure(lines),
  mooncake: (lines) => parseMooncake(lines),
  timed_trace: (lines, { timed }) => parseTimedTrace(numbered(lines), timed ?? TIMED_TRACE),
  burstgpt: (lines, options) =>
    parseBurstGpt(lines, options.model === undefined ? {} : { model: options.model }),
  bailian: (lines) => parseBailian(lines),
  servegen: async (lines, options) =>
    generateServeGen((await parseServeGen(lines)).clients, {
      from: options.from ?? 0,
      to: options.to ?? 3600,
      seed: options.seed,
      ...(options.rate === undefined ? {} : { rate: options.rate }),
    }),
});

export const traceFormats: readonly string[] = Object.keys(FORMATS);

export async function parseTrace(
  format: string,
  lines: Lines,
  options: FormatOptions,
): Promise<Trace> {
  const parse = FORMATS[format];
  if (parse === undefined) {
    throw new Error(`Unknown trace format "${format}"; known: ${traceFormats.join(", ")}.`);
  }
  return parse(lines, options);
}

/** From the file's name, when it says so. */
export function guessFormat(path: string): string | undefined {
  const name = path.toLowerCase();
  if (name.includes("azure")) return "azure";
  if (name.includes("burstgpt")) return "burstgpt";
  if (name.includes("bailian") || name.includes("qwen")) return "bailian";
  if (name.includes("servegen")) return "servegen";
  return name.includes("_trace.jsonl") || name.includes("mooncake") ? "mooncake" : undefined;
}
