/** What users were promised, and whether a run kept it. */
import type { RequestRecord } from "../../load/record.ts";
import { timePerOutputToken } from "../../load/record.ts";
import { ascending, percentileOf } from "../../load/statistics.ts";

export interface Slo {
  /** Seconds to the first token. */
  readonly ttft: number;
  /** Tokens a second that a user reads. */
  readonly tokensPerUser: number;
  /** Percentile of requests for which both must hold, e.g. 95. */
  readonly percentile: number;
}

export interface Kept {
  readonly ok: boolean;
  /** At the percentile: seconds, and tokens/s/user (1 / TPOT). */
  readonly ttft: number;
  readonly tokensPerUser: number;
  /** Which promises were broken, shortly; empty when kept. */
  readonly broken: readonly string[];
}

export function judge(records: readonly RequestRecord[], slo: Slo): Kept {
  const done = records.filter((record) => record.ok);
  const at = (values: number[]): number => percentileOf(ascending(values), slo.percentile);
  const ttft = at(done.map((record) => record.ttft));
  const tpot = at(done.flatMap((record) => timePerOutputToken(record) ?? []));
  const tokensPerUser = tpot > 0 ? 1 / tpot : Number.POSITIVE_INFINITY;
  const broken: string[] = [];
  if (done.length < records.length) broken.push(`${records.length - done.length} requests failed`);
  if (ttft > slo.ttft) broken.push(`TTFT p${slo.percentile} ${ttft.toFixed(2)} s`);
  if (tokensPerUser < slo.tokensPerUser) {
    broken.push(`p${slo.percentile} ${tokensPerUser.toFixed(1)} tokens/s/user`);
  }
  return { ok: broken.length === 0 && done.length > 0, ttft, tokensPerUser, broken };
}

/** 1 or more: both promises kept. */
export function nearness({ ttft, tokensPerUser }: Kept, slo: Slo): number {
  return Math.min(tokensPerUser / slo.tokensPerUser, slo.ttft / Math.max(ttft, 1e-9));
}
