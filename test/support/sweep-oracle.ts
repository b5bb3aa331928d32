/**
 * A point of a sweep by hand: the same requests sent by a closed loop of its own, every
 * step priced alone, and each figure computed from the moments of the tokens by its
 * definition. Of sweep/, load/ and report/ only the requests' drawing is used.
 */
import type { SequenceId } from "../../device/device.ts";
import { DEFAULT_SAMPLING } from "../../engine/sequence.ts";
import { pointRequests, type Workload } from "../../scripts/commands/sweep/protocol.ts";
import type { SystemSpec, VirtualSystem } from "../../scripts/virtual/build.ts";
import { buildSystem } from "../../scripts/virtual/system.ts";
import { idRange, type WorkRequest } from "../../scripts/workload/request.ts";

/** Moments of one request, in nanoseconds. */
interface Moments {
  readonly sent: number;
  /** Of each arrival of tokens, and how many came. */
  readonly chunks: { readonly at: number; readonly tokens: number }[];
  preempted: number;
  ended: number;
}

/** Figures by the keys of the report's columns. */
export type Figures = Readonly<Record<string, number>>;

export async function pointByHand(
  spec: SystemSpec,
  workload: Workload,
  users: number,
): Promise<Figures> {
  const system = await buildSystem(spec, { singleSteps: true });
  const words = { ids: idRange(0, system.model.architecture.vocabSize) };
  const { warmups, requests } = pointRequests(workload, users, words);
  await send(system, warmups, users);
  const moments = await send(system, requests, users);
  await system.close();
  return figuresOf(moments, requests, users);
}

/** Each user sends its next request at the very moment at which the last one ends. */
async function send(
  system: VirtualSystem,
  requests: readonly WorkRequest[],
  users: number,
): Promise<readonly Moments[]> {
  const { clock, engines } = system;
  const all: Moments[] = [];
  const waiting = [...requests];
  const under = engines.map(() => new Map<SequenceId, { its: Moments; user: number }>());
  const next = (user: number): void => {
    const request = waiting.shift();
    if (request === undefined) return;
    if (request.prompt.type !== "ids") throw new Error("Prompts are ids here.");
    const replica = user % engines.length;
    const [id] = engines[replica]?.engine.submit({
      prompt: request.prompt.ids,
      params: {
        ...DEFAULT_SAMPLING,
        temperature: 0,
        maxTokens: request.outputTokens,
        ignoreEos: true,
      },
    }) ?? [undefined];
    if (id === undefined) throw new Error("Nothing was submitted.");
    const its: Moments = { sent: clock.now(), chunks: [], preempted: 0, ended: 0 };
    all.push(its);
    under[replica]?.set(id, { its, user });
  };
  const leave = engines.map(({ engine }, replica) =>
    engine.subscribe((event) => {
      if (!("id" in event)) return;
      const one = under[replica]?.get(event.id);
      if (one === undefined) return;
      if (event.type === "tokens-emitted") {
        one.its.chunks.push({ at: event.at, tokens: event.tokens.length });
      }
      if (event.type === "request-preempted") one.its.preempted++;
      if (event.type === "request-finished") {
        one.its.ended = event.at;
        under[replica]?.delete(event.id);
        clock.at(event.at, () => next(one.user));
      }
    }),
  );
  for (let user = 0; user < users; user++) next(user);
  await clock.run();
  for (const end of leave) end();
  return all;
}

function figuresOf(
  moments: readonly Moments[],
  requests: readonly WorkRequest[],
  users: number,
): Figures {
  const begin = Math.min(...moments.map(({ sent }) => sent));
  const seconds = (Math.max(...moments.map(({ ended }) => ended)) - begin) / 1e9;
  const output = moments.flatMap(({ chunks }) => chunks).reduce((sum, c) => sum + c.tokens, 0);
  const input = requests.reduce((sum, { promptTokens }) => sum + promptTokens, 0);
  const first = ({ chunks }: Moments): number => chunks[0]?.at ?? Number.NaN;
  const last = ({ chunks }: Moments): number => chunks.at(-1)?.at ?? Number.NaN;
  const tpots = moments.flatMap((its) => {
    const tokens = its.chunks.reduce((sum, chunk) => sum + chunk.tokens, 0);
    return tokens < 2 ? [] : [(last(its) - first(its)) / (tokens - 1) / 1e6];
  });
  const values = {
    ttft: moments.map((its) => (first(its) - its.sent) / 1e6),
    tpot: tpots,
    itl: moments.flatMap(({ chunks }) =>
      chunks.slice(1).map(({ at }, index) => (at - (chunks[index]?.at ?? 0)) / 1e6),
    ),
    e2el: moments.map((its) => (last(its) - its.sent) / 1e6),
  };
  const figures: Record<string, number> = {
    completed: moments.length,
    duration_s: seconds,
    request_throughput: moments.length / seconds,
    output_throughput: output / seconds,
    total_token_throughput: (input + output) / seconds,
    tokens_per_s_per_user_vllm: output / seconds / users,
    tokens_per_s_per_user_inferencex: 1000 / quantile(tpots, 0.5),
    tokens_per_s_per_user_aiperf: mean(tpots.map((tpot) => 1000 / tpot)),
    preemptions: moments.reduce((sum, { preempted }) => sum + preempted, 0),
  };
  for (const [name, its] of Object.entries(values)) {
    figures[`mean_${name}_ms`] = mean(its);
    figures[`median_${name}_ms`] = quantile(its, 0.5);
    figures[`std_${name}_ms`] = Math.sqrt(mean(its.map((value) => (value - mean(its)) ** 2)));
    figures[`p90_${name}_ms`] = quantile(its, 0.9);
    figures[`p95_${name}_ms`] = quantile(its, 0.95);
    figures[`p99_${name}_ms`] = quantile(its, 0.99);
    figures[`p999_${name}_ms`] = quantile(its, 0.999);
  }
  return figures;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** As NumPy's default: a share of the way between the two values around it. */
function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const place = share * (sorted.length - 1);
  const low = sorted[Math.floor(place)] ?? Number.NaN;
  const high = sorted[Math.ceil(place)] ?? Number.NaN;
  return low * (1 - (place % 1)) + high * (place % 1);
}
