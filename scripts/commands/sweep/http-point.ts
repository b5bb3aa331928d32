/** One point over HTTP: the same requests against a live server, in real time. */
import { Client, type Target } from "../../load/client.ts";
import { hygiene } from "../../load/hygiene.ts";
import { runLoad } from "../../load/load.ts";
import { Progress } from "../../load/progress.ts";
import { vllmResult } from "../../load/result.ts";
import { type ServedModel, serverWords, watchServer, withoutUser } from "../../load/server.ts";
import { Random } from "../../workload/random.ts";
import { idRange, type Words } from "../../workload/request.ts";
import type { SweepOptions } from "./flags.ts";
import { pointRequests } from "./protocol.ts";
import { firstErrorOf, type MeasuredPoint, metricsOf, toPoint, workloadPart } from "./to-point.ts";

/** Ids that exist in any vocabulary larger than this, when the server does not tokenise. */
const SAFE_IDS = 1000;

export async function liveWords(url: string, options: SweepOptions, model: string): Promise<Words> {
  const words = await serverWords({ baseUrl: url, headers: options.headers }, model);
  return words ?? { ids: idRange(100, SAFE_IDS) };
}

/**
 * A live server's prefix cache remembers the prompts of the point and of the sweep
 * before: the lengths are the seed's, the ids this point's alone.
 */
function freshWords({ ids, ...rest }: Words, seed: number): Words {
  const shift = new Random(seed);
  const { length } = ids;
  return {
    ...rest,
    ids: { length, at: (index) => ids.at((index + shift.integer(0, length - 1)) % length) },
  };
}

export async function httpPoint(
  url: string,
  options: SweepOptions,
  concurrency: number,
  server: { readonly model: ServedModel; readonly words: Words; readonly settings: unknown },
): Promise<MeasuredPoint> {
  const { workload, flags, given } = options;
  const fingerprint = Array.isArray(server.settings) ? server.settings.at(-1) : undefined;
  const target: Target = {
    baseUrl: url,
    endpoint: "/v1/completions",
    api: "completions",
    model: server.model.id,
    headers: options.headers,
    body: { ignore_eos: true, temperature: 0 },
    keepText: false,
  };
  const client = new Client(target);
  try {
    const words = freshWords(server.words, Date.now() + concurrency);
    const { warmups, requests } = pointRequests(workload, concurrency, words);
    const now = new Array<number>(requests.length).fill(0);
    const cap = { maxConcurrency: concurrency };
    const send = client.run.bind(client);
    await runLoad(warmups, send, { arrivals: now, ...cap });
    const watched = await watchServer({ baseUrl: url, headers: options.headers }, concurrency);
    const bar = options.flags.quiet
      ? undefined
      : new Progress(`${concurrency} users`, requests.length);
    const run = await runLoad(requests, send, { arrivals: now, ...cap, onDone: () => bar?.step() });
    bar?.end();
    const metrics = metricsOf(run.records, run.duration);
    const notices = hygiene({
      requests,
      served: await watched(),
      records: run.records,
      concurrency,
      warmups: warmups.length,
      duration: run.duration,
      lateness: run.lateness.p99EventLoop,
    });
    const point = toPoint(
      {
        identity: {
          model: server.model.id,
          server: withoutUser(url).replace(/^https?:\/\//, ""),
          // Of one address the settings may change between two sweeps.
          settings: typeof fingerprint === "string" ? fingerprint : "",
          workload: workloadPart(workload),
        },
        model: server.model.id,
        simulated: server.model.simulation !== undefined,
        framework: server.model.ownedBy ?? "unknown",
        instance: "",
        // As told on the command line; the server itself does not say.
        tensorParallel: given.has("tensor-parallel-size")
          ? flags["tensor-parallel-size"][0]
          : undefined,
        dataParallel: given.has("data-parallel-size") ? flags["data-parallel-size"][0] : undefined,
        expertParallel: given.has("enable-expert-parallel")
          ? flags["enable-expert-parallel"]
          : undefined,
        kernels: "",
        precision: "",
        speculation: "",
        chips: flags.chips,
        inputLen: workload.inputLen,
        outputLen: workload.outputLen,
        concurrency,
        requests: requests.length,
        warmups: warmups.length,
        seed: workload.seed,
      },
      metrics,
      notices,
    );
    const result = vllmResult(
      {
        date: new Date(),
        backend: "openai",
        modelId: server.model.id,
        tokenizerId: server.model.root,
        numPrompts: requests.length,
        requestRate: Number.POSITIVE_INFINITY,
        burstiness: 1,
        maxConcurrency: concurrency,
        latencies: ["ttft", "tpot", "itl", "e2el"],
      },
      metrics,
    );
    return { point, result, ...firstErrorOf(run.records) };
  } finally {
    client.close();
  }
}
