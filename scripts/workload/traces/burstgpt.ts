/**
 * BurstGPT (Wang et al. 2024): CSV of Timestamp (s), Model, Request tokens,
 * Response tokens, Total tokens, Log Type. Failed requests have no response
 * tokens and are left out; `model` keeps one model, as vLLM keeps GPT-4.
 */
import type { Lines } from "../lines.ts";
import { count, csvRows } from "./csv.ts";
import type { Trace, TraceRequest } from "./trace.ts";

export async function parseBurstGpt(
  lines: Lines,
  options: { readonly model?: string } = {},
): Promise<Trace> {
  const requests: TraceRequest[] = [];
  let failed = 0;
  let origin: number | undefined;
  const columns = ["Timestamp", "Model", "Request tokens", "Response tokens"];
  for await (const [row, line] of csvRows(lines, columns)) {
    if (options.model !== undefined && row["Model"] !== options.model) continue;
    const arrival = Number(row["Timestamp"]);
    if (!Number.isFinite(arrival)) {
      throw new Error(`Line ${line}: Timestamp is "${row["Timestamp"] ?? ""}".`);
    }
    const inputTokens = count(row, "Request tokens", line);
    const outputTokens = count(row, "Response tokens", line);
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
