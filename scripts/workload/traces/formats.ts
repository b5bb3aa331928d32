/** Trace formats by name. A new one is a parser and a line here. */
import { parseAzure } from "./azure.ts";
import { parseBailian } from "./bailian.ts";
import { parseBurstGpt } from "./burstgpt.ts";
import { parseMooncake } from "./mooncake.ts";
import { generateServeGen, parseServeGen } from "./servegen.ts";
import type { Trace } from "./trace.ts";

export interface FormatOptions {
  /** Mean requests a second and span of the day, for formats that generate. */
  readonly rate?: number;
  readonly from?: number;
  readonly to?: number;
  readonly seed: number;
  /** Keep one model, for formats that name it. */
  readonly model?: string;
}

const FORMATS: Readonly<Record<string, (text: string, options: FormatOptions) => Trace>> =
  Object.freeze({
    azure: (text) => parseAzure(text),
    mooncake: (text) => parseMooncake(text),
    timed_trace: (text) => parseMooncake(text),
    burstgpt: (text, options) =>
      parseBurstGpt(text, options.model === undefined ? {} : { model: options.model }),
    bailian: (text) => parseBailian(text),
    servegen: (text, options) =>
      generateServeGen(parseServeGen(text).clients, {
        from: options.from ?? 0,
        to: options.to ?? 3600,
        seed: options.seed,
        ...(options.rate === undefined ? {} : { rate: options.rate }),
      }),
  });

export const traceFormats: readonly string[] = Object.keys(FORMATS);

export function parseTrace(format: string, text: string, options: FormatOptions): Trace {
  const parse = FORMATS[format];
  if (parse === undefined) {
    throw new Error(`Unknown trace format "${format}"; known: ${traceFormats.join(", ")}.`);
  }
  return parse(text, options);
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
