/**
 * Azure LLM inference traces 2023 (Patel et al., Splitwise, ISCA 2024; CC-BY
 * 4.0): CSV of TIMESTAMP, ContextTokens, GeneratedTokens. No prefixes are known.
 */
import { count, csvRows } from "./csv.ts";
import type { Trace } from "./trace.ts";

export function parseAzure(text: string): Trace {
  const rows = csvRows(text, ["TIMESTAMP", "ContextTokens", "GeneratedTokens"]);
  let origin: number | undefined;
  const requests = rows.map((row, index) => {
    const at = azureSeconds(row["TIMESTAMP"] ?? "", index + 2);
    origin ??= at;
    return {
      arrival: at - origin,
      inputTokens: count(row, "ContextTokens", index + 2),
      outputTokens: count(row, "GeneratedTokens", index + 2),
    };
  });
  return { name: "azure", requests, notes: [] };
}

/** `2023-11-16 18:17:03.9799600` to seconds; seven digits of fraction, no zone (taken as UTC). */
export function azureSeconds(stamp: string, line: number): number {
  const match = /^(\d{4}-\d{2}-\d{2})[ T](\d{2}:\d{2}:\d{2})(\.\d+)?/.exec(stamp);
  const whole = match === null ? Number.NaN : Date.parse(`${match[1]}T${match[2]}Z`);
  if (Number.isNaN(whole)) throw new Error(`Line ${line}: TIMESTAMP is "${stamp}".`);
  return whole / 1000 + Number(match?.[3] ?? 0);
}
