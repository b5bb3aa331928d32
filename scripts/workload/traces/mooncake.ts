/**
 * Mooncake traces (FAST '25; Apache-2.0): JSON Lines of timestamp (ms),
 * input_length, output_length and hash_ids, one id for each 512 prompt tokens.
 * vLLM's `timed_trace` dataset has the same lines.
 */
import type { Trace, TraceRequest } from "./trace.ts";

export const MOONCAKE_BLOCK = 512;

export function parseMooncake(text: string, blockTokens: number = MOONCAKE_BLOCK): Trace {
  const requests: TraceRequest[] = [];
  let line = 0;
  for (const row of text.split("\n")) {
    line++;
    if (row.trim() === "") continue;
    const entry = JSON.parse(row) as Readonly<Record<string, unknown>>;
    const blocks = entry["hash_ids"];
    requests.push({
      arrival: number(entry, "timestamp", line) / 1000,
      inputTokens: number(entry, "input_length", line),
      outputTokens: number(entry, "output_length", line),
      ...(Array.isArray(blocks) ? { blocks: blocks.map(Number) } : {}),
    });
  }
  requests.sort((a, b) => a.arrival - b.arrival);
  return { name: "mooncake", requests, blockTokens, notes: [] };
}

function number(entry: Readonly<Record<string, unknown>>, name: string, line: number): number {
  const value = entry[name];
  if (typeof value !== "number" || !(value >= 0)) {
    throw new Error(`Line ${line}: ${name} is ${JSON.stringify(value)}, not a number ≥ 0.`);
  }
  return value;
}
