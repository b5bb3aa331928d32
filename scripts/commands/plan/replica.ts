/**
 * One replica under its share of the users, in virtual time and in its steady
 * state: users follow one another without a pause, and only requests between the
 * first two and the last of each user are judged.
 *
 *     requests   [ 2u warm up )[ judged ............ )[ u run out )
 */
import type { SystemSpec } from "../../virtual/build.ts";
import { runVirtual } from "../../virtual/virtual.ts";
import { Random } from "../../workload/random.ts";
import { randomRequests } from "../../workload/random-dataset.ts";
import { idRange } from "../../workload/request.ts";
import { judge, type Kept, type Slo } from "./slo.ts";
import type { Workshop } from "./workshop.ts";

export interface PlanWorkload {
  readonly inputLen: number;
  readonly outputLen: number;
  /** Lengths are uniform in [L(1 − r), L(1 + r)]. */
  readonly spread: number;
}

export interface ReplicaRun {
  readonly users: number;
  readonly kept: Kept;
  /** Output tokens a second of the replica, over the judged part. */
  readonly outputThroughput: number;
  readonly preemptions: number;
}

/** Requests judged at least, and per user. */
const JUDGED = { least: 160, perUser: 6 };

export async function runReplica(
  spec: SystemSpec,
  shop: Workshop,
  load: {
    readonly users: number;
    readonly workload: PlanWorkload;
    readonly slo: Slo;
    readonly seed: number;
  },
): Promise<ReplicaRun> {
  const { users, workload, slo, seed } = load;
  const system = await shop.build({ ...spec, seed });
  try {
    const judged = Math.max(JUDGED.least, JUDGED.perUser * users);
    const requests = randomRequests(
      3 * users + judged,
      {
        inputLen: workload.inputLen,
        outputLen: workload.outputLen,
        inputRatio: workload.spread,
        outputRatio: workload.spread,
        meaning: "vllm",
        prefixLen: 0,
      },
      { ids: idRange(0, shop.model.architecture.vocabSize) },
      new Random(seed),
    );
    const run = await runVirtual(system, requests, { concurrency: users });
    const records = run.records.slice(2 * users, 2 * users + judged);
    let begin = Number.POSITIVE_INFINITY;
    let end = 0;
    for (const { sent, latency } of records) {
      begin = Math.min(begin, sent);
      end = Math.max(end, sent + latency);
    }
    const tokens = records.reduce((sum, record) => sum + record.outputTokens, 0);
    return {
      users,
      kept: judge(records, slo),
      outputThroughput: end > begin ? tokens / (end - begin) : 0,
      preemptions: records.reduce((sum, record) => sum + (record.preemptions ?? 0), 0),
    };
  } finally {
    await system.close();
  }
}

/** The run of a replica that cannot be built, or ended in an error: it keeps nothing. */
export function unbuildable(users: number, error: unknown): ReplicaRun {
  const why = error instanceof Error ? error.message : String(error);
  return {
    users,
    kept: { ok: false, ttft: Number.POSITIVE_INFINITY, tokensPerUser: 0, broken: [why] },
    outputThroughput: 0,
    preemptions: 0,
  };
}
