/** One run of `trainyard bench serve`, from flags to the result. */
import { appendFile, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Notice } from "../../../server/metrics/hygiene.ts";
import { Progress } from "../../../server/progress.ts";
import { ask, type ServerAccess } from "../../load/ask.ts";
import { Client, type Target } from "../../load/client.ts";
import { hygiene } from "../../load/hygiene.ts";
import { type LoadRun, runLoad } from "../../load/load.ts";
import { type LoadMetrics, measure } from "../../load/metrics.ts";
import { type SpeculationCounts, stamp, type VllmResult, vllmResult } from "../../load/result.ts";
import {
  type ServedModel,
  servedModel,
  speculationBetween,
  speculationCounters,
  watchServer,
} from "../../load/server.ts";
import { arrivalTimes } from "../../workload/arrivals.ts";
import { Random } from "../../workload/random.ts";
import type { WorkRequest } from "../../workload/request.ts";
import { asText, benchRequests, wordsFor } from "./dataset.ts";
import type { BenchOptions } from "./flags.ts";

export interface BenchOutcome {
  readonly run: LoadRun;
  readonly metrics: LoadMetrics;
  readonly result: VllmResult;
  readonly notices: readonly Notice[];
  readonly speculation?: SpeculationCounts;
  /** Where the result was written. */
  readonly file?: string;
}

export async function benchServe(
  options: BenchOptions,
  signal?: AbortSignal,
): Promise<BenchOutcome> {
  const { baseUrl, headers, insecure } = options;
  const server: ServerAccess = { baseUrl, headers, insecure };
  const model = await modelOf(options, server);
  const name = options.servedModelName ?? model.id;
  const chat = options.backend === "openai-chat";
  const words = await wordsFor(options, server, name);
  const drawn = await benchRequests(options, words);
  const requests = chat ? await asText(drawn, words) : drawn;
  mustFit(requests, model.maxModelLen);
  const target: Target = {
    baseUrl: options.baseUrl,
    endpoint: options.endpoint,
    api: chat ? "chat" : "completions",
    model: name,
    headers: options.headers,
    body: options.body,
    insecure: options.insecure,
    keepText: options.saveDetailed,
    ...(options.requestIdPrefix === undefined ? {} : { requestIdPrefix: options.requestIdPrefix }),
  };
  const client = new Client(target);
  try {
    await ready(client, requests, options);
    await warmUp(client, requests, options);
    if (options.profile) await post(server, "/start_profile");
    const before = await speculationCounters(server);
    const watched = await watchServer(server, options.maxConcurrency);
    const run = await load(client, requests, options, signal);
    const served = await watched();
    const speculation = speculationBetween(before, await speculationCounters(server));
    if (options.profile) await post(server, "/stop_profile");
    return await finish(options, { model, run, served, speculation });
  } finally {
    client.close();
  }
}

async function modelOf(options: BenchOptions, server: ServerAccess): Promise<ServedModel> {
  return options.model === undefined
    ? servedModel(server)
    : { id: options.model, root: options.model, entry: {} };
}

/** Nothing is sent when the server could only refuse all of it. */
function mustFit(requests: readonly WorkRequest[], most: number | undefined): void {
  const shortest = requests.reduce(
    (least, { promptTokens, outputTokens }) => Math.min(least, promptTokens + outputTokens),
    Number.POSITIVE_INFINITY,
  );
  if (most === undefined || shortest <= most) return;
  throw new Error(
    `The model's context holds ${most} tokens, the shortest request has ${shortest} (prompt and answer). Give --input-len and --output-len, such as ${Math.floor(most / 2)} and ${Math.floor(most / 8)}.`,
  );
}

async function ready(
  client: Client,
  requests: readonly WorkRequest[],
  options: BenchOptions,
): Promise<void> {
  const first = requests[0];
  if (options.readyTimeout <= 0 || first === undefined) return;
  const end = Date.now() + options.readyTimeout * 1000;
  for (;;) {
    const record = await client.run(first, 0, () => performance.now() / 1000);
    if (record.ok) return;
    if (Date.now() > end) {
      throw new Error(`Not ready after ${options.readyTimeout} s: ${record.error ?? "no answer"}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

async function warmUp(
  client: Client,
  requests: readonly WorkRequest[],
  options: BenchOptions,
): Promise<void> {
  if (options.numWarmups === 0 || requests.length === 0) return;
  // As in vLLM the first request warms up; the notices say when a cache then helps it.
  const first = requests[0] as WorkRequest; // length checked above
  const warm = new Array<WorkRequest>(options.numWarmups).fill(first);
  await runLoad(warm, client.run.bind(client), {
    arrivals: new Array<number>(warm.length).fill(0),
    ...(options.maxConcurrency === undefined ? {} : { maxConcurrency: options.maxConcurrency }),
  });
}

async function load(
  client: Client,
  requests: readonly WorkRequest[],
  options: BenchOptions,
  signal: AbortSignal | undefined,
): Promise<LoadRun> {
  const timed = options.selfTimed && requests.every((request) => request.arrival !== undefined);
  const arrivals = timed
    ? requests.map((request) => request.arrival ?? 0)
    : arrivalTimes(
        requests.length,
        {
          rate: options.requestRate,
          burstiness: options.burstiness,
          ...(options.ramp === undefined ? {} : { ramp: options.ramp }),
        },
        new Random(options.seed),
      );
  const bar = options.progress ? new Progress("Requests", requests.length) : undefined;
  const run = await runLoad(requests, client.run.bind(client), {
    arrivals,
    onDone: () => bar?.step(),
    ...(signal === undefined ? {} : { signal }),
    ...(options.maxConcurrency === undefined ? {} : { maxConcurrency: options.maxConcurrency }),
  });
  bar?.end();
  return run;
}

async function finish(
  options: BenchOptions,
  of: {
    readonly model: ServedModel;
    readonly run: LoadRun;
    readonly served: readonly Notice[];
    readonly speculation: SpeculationCounts | undefined;
  },
): Promise<BenchOutcome> {
  const { run, served, speculation } = of;
  const { requests } = run;
  const metrics = measure(run.records, run.duration, {
    percentiles: options.percentiles,
    ...(options.goodput === undefined ? {} : { goodput: options.goodput }),
  });
  const notices = hygiene({
    requests,
    served,
    records: run.records,
    warmups: options.numWarmups,
    duration: run.duration,
    lateness: Math.max(run.lateness.p99Dispatch, run.lateness.p99EventLoop),
    ...(options.maxConcurrency === undefined ? {} : { concurrency: options.maxConcurrency }),
  });
  const date = new Date();
  const result = vllmResult(
    {
      date,
      backend: options.backend,
      modelId: of.model.id,
      tokenizerId: options.tokenizer ?? of.model.root,
      numPrompts: requests.length,
      requestRate: options.requestRate,
      burstiness: options.burstiness,
      latencies: options.latencies,
      metadata: options.metadata,
      extra: {
        lateness: run.lateness,
        notices,
        ...(run.interrupted ? { interrupted: true } : {}),
      },
      ...(options.label === undefined ? {} : { label: options.label }),
      ...(options.maxConcurrency === undefined ? {} : { maxConcurrency: options.maxConcurrency }),
      ...(options.ramp === undefined ? {} : { ramp: options.ramp }),
      ...(speculation === undefined ? {} : { speculation }),
    },
    metrics,
    options.saveDetailed ? run.records : undefined,
  );
  const file =
    options.saveResult || options.appendResult || options.saveDetailed
      ? await save(options, result, { date, model: of.model })
      : undefined;
  return {
    run,
    metrics,
    result,
    notices,
    ...(speculation === undefined ? {} : { speculation }),
    ...(file === undefined ? {} : { file }),
  };
}

async function save(
  options: BenchOptions,
  result: VllmResult,
  of: { readonly date: Date; readonly model: ServedModel },
): Promise<string> {
  const rate = Number.isFinite(options.requestRate) ? String(options.requestRate) : "inf";
  const users = options.maxConcurrency === undefined ? "" : `-concurrency${options.maxConcurrency}`;
  const base = of.model.id.split("/").at(-1) ?? of.model.id;
  const name =
    options.resultFilename ??
    `${options.label ?? options.backend}-${rate}qps${users}-${base}-${stamp(of.date)}.json`;
  const file = join(options.resultDir, name);
  await mkdir(options.resultDir, { recursive: true });
  const text = JSON.stringify(result);
  if (options.appendResult) await appendFile(file, `${text}\n`);
  else await writeFile(file, text);
  return file;
}

async function post(server: ServerAccess, path: string): Promise<void> {
  const reply = await ask(server, path, "").catch((error: Error) => ({
    ok: false,
    status: error.message,
  }));
  if (!reply.ok) process.stderr.write(`POST ${path} answered ${reply.status}.\n`);
}
