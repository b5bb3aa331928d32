/**
 * vLLM's `timed_trace` dataset: JSON Lines whose labels, unit of time and tokens a
 * hash are settings; its defaults are seconds and 16 tokens. Mooncake's and Bailian's
 * traces are such lines with settings of their own.
 */
import { jsonLine } from "../lines.ts";
import type { Trace, TraceRequest } from "./trace.ts";

export interface TimedTraceOptions {
  /** Tokens that a hash id stands for. */
  readonly blockTokens: number;
  /** Seconds in a unit of the timestamps. */
  readonly seconds: number;
  readonly labels: {
    readonly timestamp: string;
    readonly inputLength: string;
    readonly outputLength: string;
    readonly hashIds: string;
  };
}

/** As vLLM's flags default. */
export const TIMED_TRACE: TimedTraceOptions = {
  blockTokens: 16,
  seconds: 1,
  labels: {
    timestamp: "timestamp",
    inputLength: "input_length",
    outputLength: "output_length",
    hashIds: "hash_ids",
  },
};

type Entry = Readonly<Record<string, unknown>>;

/** `watch` sees each entry in the order of the file. Throws with the line's number. */
export async function parseTimedTrace(
  lines: AsyncIterable<readonly [string, number]>,
  { blockTokens, seconds, labels }: TimedTraceOptions,
  watch: (entry: Entry, line: number) => void = () => {},
): Promise<Trace> {
  const requests: TraceRequest[] = [];
  for await (const [text, line] of lines) {
    const entry = jsonLine(text, line);
    watch(entry, line);
    const blocks = entry[labels.hashIds];
    requests.push({
      arrival: numberAt(entry, labels.timestamp, line) * seconds,
      inputTokens: numberAt(entry, labels.inputLength, line),
      outputTokens: numberAt(entry, labels.outputLength, line),
      ...(Array.isArray(blocks) ? { blocks: blocks.map(Number) } : {}),
    });
  }
  requests.sort((a, b) => a.arrival - b.arrival);
  return { name: "timed_trace", requests, blockTokens, notes: [] };
}

function numberAt(entry: Entry, label: string, line: number): number {
  const value = entry[label];
  if (value === undefined) {
    throw new Error(`Line ${line} has no "${label}"; it has ${Object.keys(entry).join(", ")}.`);
  }
  if (typeof value !== "number" || !(value >= 0)) {
    throw new Error(`Line ${line}: ${label} is ${JSON.stringify(value)}, not a number ≥ 0.`);
  }
  return value;
}
