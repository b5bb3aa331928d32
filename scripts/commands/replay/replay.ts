/**
 * Replays a trace open loop, in virtual time or over HTTP, and says what users
 * saw: TTFT, TPOT and prefix-cache hits.
 */

import { Progress } from "../../../server/progress.ts";
import { Client } from "../../load/client.ts";
import { runLoad } from "../../load/load.ts";
import { type LoadMetrics, measure } from "../../load/metrics.ts";
import { overload } from "../../load/overload.ts";
import type { RequestRecord } from "../../load/record.ts";
import { servedModel, serverWords } from "../../load/server.ts";
import type { VirtualSystem } from "../../virtual/build.ts";
import { runVirtual, type StepTotals } from "../../virtual/virtual.ts";
import { idRange } from "../../workload/request.ts";
import { type Trace, traceRequests } from "../../workload/traces/trace.ts";

export interface ReplayRow {
  readonly name: string;
  readonly metrics: LoadMetrics;
  readonly steps?: StepTotals;
  /** Share of prompt tokens found in the prefix cache. */
  readonly hitRate: number;
  readonly hitTokens: number;
  /** In the trace's blocks, where it has any. */
  readonly hitBlocks?: number;
  /** Said where the queue grew to the end. */
  readonly overload?: string;
  /** What went wrong first, if anything did. */
  readonly firstError?: string;
  /** Seconds that a virtual run took here, on the wall and of processor time. */
  readonly wallSeconds?: number;
  readonly cpuSeconds?: number;
}

export const PERCENTILES = [90, 99] as const;

export function replayRow(
  name: string,
  { blockTokens }: Trace,
  run: {
    readonly records: readonly RequestRecord[];
    readonly duration: number;
    readonly steps?: StepTotals;
  },
): ReplayRow {
  const metrics = measure(run.records, run.duration, { percentiles: PERCENTILES });
  const grown = overload(run.records);
  const firstError = run.records.find((record) => !record.ok)?.error;
  return {
    name,
    metrics,
    hitTokens: metrics.cachedTokens,
    ...(blockTokens === undefined || blockTokens === 0
      ? {}
      : { hitBlocks: Math.round(metrics.cachedTokens / blockTokens) }),
    hitRate: metrics.inputTokens === 0 ? 0 : metrics.cachedTokens / metrics.inputTokens,
    ...(grown === undefined ? {} : { overload: grown }),
    ...(firstError === undefined ? {} : { firstError }),
    ...(run.steps === undefined ? {} : { steps: run.steps }),
  };
}

/** The trace's prompts are made here, so the same trace gives the same run. */
export async function replayVirtual(
  name: string,
  system: VirtualSystem,
  trace: Trace,
  seed: number,
): Promise<ReplayRow> {
  // Nobody reads these ids, and small ones are quicker to hash: 1 byte each in CBOR.
  const words = { ids: idRange(0, 24) };
  const bar = new Progress(name, trace.requests.length);
  const onDone = (): void => bar.step();
  const requests = traceRequests(trace, words, seed);
  const run = await runVirtual(system, requests, { gaps: false, onDone });
  bar.end();
  return replayRow(name, trace, run);
}

/** In real time, against a live server; token-id prompts over text completions. */
export async function replayHttp(
  url: string,
  trace: Trace,
  headers: Readonly<Record<string, string>>,
  signal?: AbortSignal,
): Promise<ReplayRow> {
  const server = { baseUrl: url.replace(/\/$/, ""), headers };
  const model = await servedModel(server);
  const words = (await serverWords(server, model.id)) ?? { ids: idRange(100, 1000) };
  const requests = traceRequests(trace, words, 0);
  const client = new Client({
    baseUrl: server.baseUrl,
    endpoint: "/v1/completions",
    api: "completions",
    model: model.id,
    headers,
    body: { ignore_eos: true, temperature: 0 },
    keepText: false,
  });
  try {
    const bar = new Progress("Requests", requests.length);
    const run = await runLoad(requests, client.run.bind(client), {
      arrivals: requests.map((request) => request.arrival ?? 0),
      onDone: () => bar.step(),
      ...(signal === undefined ? {} : { signal }),
    });
    bar.end();
    return replayRow(
      `over HTTP (late p99 ${(1000 * run.lateness.p99Dispatch).toFixed(1)} ms${run.interrupted ? ", interrupted" : ""})`,
      trace,
      run,
    );
  } finally {
    client.close();
  }
}
