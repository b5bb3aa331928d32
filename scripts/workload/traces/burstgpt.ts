/**
 * BurstGPT (Wang et al. 2024): CSV of Timestamp (s), Model, Request tokens,
 * Response tokens, Total tokens, Log Type. Failed requests have no response
 * tokens and are left out; `model` keeps one model, as vLLM keeps GPT-4.
 */
import { count, csvRows } from "./csv.ts";
import type { Trace, TraceRequest } from "./trace.ts";

export function parseBurstGpt(text: string, options: { readonly model?: string } = {}): Trace {
  const rows = csvRows(text, ["Timestamp", "Model", "Request tokens", "Response tokens"]);
  const requests: TraceRequest[] = [];
  let failed = 0;
  let origin: number | undefined;
  for (const [index, row] of rows.entries()) {
    if (options.model !== undefined && row["Model"] !== options.model) continue;
    const arrival = Number(row["Timestamp"]);
    if (!Number.isFinite(arrival)) {
      throw new Error(`Line ${index + 2}: Timestamp is "${row["Timestamp"] ?? ""}".`);
    }
    const inputTokens = count(row, "Request tokens", index + 2);
    const outputTokens = count(row, "Response tokens", index + 2);
    if (outputTokens === 0 || inputTokens === 0) {
      failed++;
      continue;
    }
    origin ??= arrival;
    requests.push({ arrival: arrival - origin, inputTokens, outputTokens });
  }
  requests.sort((a, b) => a.arrival - b.arrival);
  const notes = failed === 0 ? [] : [`${failed} requests without prompt or response tokens.`];
  return { name: "burstgpt", requests, notes };
}
