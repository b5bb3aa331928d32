/**
 * Azure LLM inference traces 2023 (Patel et al., Splitwise, ISCA 2024; CC-BY
 * 4.0): CSV of TIMESTAMP, ContextTokens, GeneratedTokens. No prefixes are known.
 */
import type { Lines } from "../lines.ts";
import { count, csvRows } from "./csv.ts";
import type { Trace, TraceRequest } from "./trace.ts";

export async function parseAzure(lines: Lines): Promise<Trace> {
  let origin: number | undefined;
  const requests: TraceRequest[] = [];
  const columns = ["TIMESTAMP", "ContextTokens", "GeneratedTokens"];
  for await (const [row, line] of csvRows(lines, columns)) {
    const at = azureSeconds(row["TIMESTAMP"] ?? "", line);
    origin ??= at;
    requests.push({
      arrival: at - origin,
      inputTokens: count(row, "ContextTokens", line),
      outputTokens: count(row, "GeneratedTokens", line),
    });
  }
  return { name: "azure", requests, notes: [] };
}

/** `2023-11-16 18:17:03.9799600` to seconds; seven digits of fraction, no zone (taken as UTC). */
export function azureSeconds(stamp: string, line: number): number {
  const match = /^(\d{4}-\d{2}-\d{2})[ T](\d{2}:\d{2}:\d{2})(\.\d+)?/.exec(stamp);
  const whole = match === null ? Number.NaN : Date.parse(`${match[1]}T${match[2]}Z`);
  if (Number.isNaN(whole)) throw new Error(`Line ${line}: TIMESTAMP is "${stamp}".`);
  return whole / 1000 + Number(match?.[3] ?? 0);
}
