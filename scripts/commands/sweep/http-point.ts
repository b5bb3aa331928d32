/** One point over HTTP: the same requests against a live server, in real time. */

import { Progress } from "../../../server/progress.ts";
import { Client, type Target } from "../../load/client.ts";
import { hygiene } from "../../load/hygiene.ts";
import { runLoad } from "../../load/load.ts";
import { type ServedModel, serverWords, watchServer, withoutUser } from "../../load/server.ts";
import { Random } from "../../workload/random.ts";
import { idRange, type Words } from "../../workload/request.ts";
import type { SweepOptions } from "./flags.ts";
import { pointRequests } from "./protocol.ts";
import {
  firstErrorOf,
  type MeasuredPoint,
  metricsOf,
  type PointIdentity,
  resultOf,
  toPoint,
  workloadPart,
} from "./to-point.ts";

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

interface LiveServer {
  readonly model: ServedModel;
  readonly settings: unknown;
}

export async function httpPoint(
  url: string,
  options: SweepOptions,
  concurrency: number,
  server: LiveServer & { readonly words: Words },
): Promise<MeasuredPoint> {
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
    const { warmups, requests } = pointRequests(options.workload, concurrency, words);
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
    const known = {
      ...identityOf(url, options, server),
      concurrency,
      requests: requests.length,
      warmups: warmups.length,
    };
    const point = toPoint(known, metrics, notices);
    const result = resultOf(point, metrics, {
      backend: "openai",
      tokenizerId: server.model.root,
    });
    return { point, result, ...firstErrorOf(run.records) };
  } finally {
    client.close();
  }
}

/** What is known of a live server: parallelism and chips as told on the command line, it does not say. */
function identityOf(
  url: string,
  { workload, flags, given }: SweepOptions,
  { model, settings }: LiveServer,
): Omit<PointIdentity, "concurrency" | "requests" | "warmups"> {
  const fingerprint = Array.isArray(settings) ? settings.at(-1) : undefined;
  const told = <F extends keyof SweepOptions["flags"], V>(flag: F, value: V): V | undefined =>
    given.has(flag) ? value : undefined;
  return {
    identity: {
      model: model.id,
      server: withoutUser(url).replace(/^https?:\/\//, ""),
      // Of one address the settings may change between two sweeps.
      settings: typeof fingerprint === "string" ? fingerprint : "",
      workload: workloadPart(workload),
    },
    model: model.id,
    simulated: model.simulation !== undefined,
    framework: model.ownedBy ?? "unknown",
    instance: "",
    tensorParallel: told("tensor-parallel-size", flags["tensor-parallel-size"][0]),
    dataParallel: told("data-parallel-size", flags["data-parallel-size"][0]),
    expertParallel: told("enable-expert-parallel", flags["enable-expert-parallel"]),
    kernels: "",
    precision: "",
    speculation: "",
    chips: flags.chips,
    inputLen: workload.inputLen,
    outputLen: workload.outputLen,
    seed: workload.seed,
  };
}
