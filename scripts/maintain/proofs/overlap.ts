/**
 * Two steps under way: the engine schedules, detokenises and writes streams while
 * the device computes. Whole servers with and without (`--no-async-scheduling`)
 * serve the same streams by turns; ids must not differ.
 */
import { pino } from "pino";
import { parseSettings } from "../../../server/config.ts";
import { type RunningServer, serve } from "../../../server/main.ts";
import type { Proof, Report } from "./proof.ts";
import { median } from "./proof.ts";

export interface StreamPlan {
  /** As on the command line, device and model. */
  readonly argv: readonly string[];
  readonly streams: number;
  readonly maxTokens: number;
  readonly rounds: number;
}

export interface OverlapFigures {
  /** Ids a second over all streams, one figure a round. */
  readonly with: readonly number[];
  readonly without: readonly number[];
  /** Ids of each stream, in no order: equal in every round, with and without. */
  readonly sameIds: boolean;
  /** Of a device that prices: milliseconds of a step with all streams, and the share of steps that fell back. */
  readonly priced?: readonly [with_: Priced, without: Priced];
  /** Steps under way at once, as the devices say. */
  readonly inFlight: readonly [with_: number, without: number];
}

export interface Priced {
  readonly stepMs: number;
  /** Steps that waited for the host: the rows were not those of the step before, or nothing is launched ahead. */
  readonly waited: number;
}

export async function compareOverlap(plan: StreamPlan): Promise<OverlapFigures> {
  const awake = setInterval(() => {}, 1000);
  const servers: RunningServer[] = [];
  try {
    for (const flag of ["--async-scheduling", "--no-async-scheduling"]) {
      const { settings } = parseSettings([...plan.argv, flag, "--port", "0"]);
      servers.push(await serve(settings, pino({ level: "silent" })));
    }
    const [on, off] = servers;
    if (on === undefined || off === undefined) throw new Error("no server");
    const costs = [on, off].map(watchCosts);
    const rates: { readonly on: number[]; readonly off: number[] } = { on: [], off: [] };
    const ids = new Set<string>();
    for (let round = -1; round < plan.rounds; round++) {
      // Who is first changes: a machine that warms up or tires favours neither.
      const order = round % 2 === 0 ? ([on, off] as const) : ([off, on] as const);
      for (const server of order) {
        const { rate, text } = await stream(server, plan, round);
        if (round < 0) continue; // warm-up
        rates[server === on ? "on" : "off"].push(rate);
        ids.add(`${round} ${text}`);
      }
    }
    const inFlight = [on.world.device.limits.inFlight, off.world.device.limits.inFlight] as const;
    const [withIt, without] = costs.map((read) => read(plan.streams));
    return {
      with: rates.on,
      without: rates.off,
      sameIds: ids.size === plan.rounds,
      inFlight,
      ...(withIt && without && { priced: [withIt, without] as const }),
    };
  } finally {
    for (const server of servers) await server.stop(0);
    clearInterval(awake);
  }
}

/** Reads what the device charged so far; undefined: it prices nothing. */
function watchCosts({ world }: RunningServer): (rows: number) => Priced | undefined {
  const steps: { readonly rows: number; readonly ms: number; readonly host: number }[] = [];
  world.serving.engines.all[0]?.subscribe((event) => {
    if (event.type !== "step-finished" || event.cost === undefined) return;
    const { duration, parts } = event.cost;
    steps.push({ rows: event.rows, ms: duration / 1e6, host: parts["host"] ?? 0 });
  });
  return (rows) => {
    const full = steps.filter((step) => step.rows === rows);
    if (full.length === 0) return undefined;
    const waited = steps.filter(({ host }) => host > 0).length / steps.length;
    return { stepMs: median(full.map(({ ms }) => ms)), waited };
  };
}

async function stream({ url, world }: RunningServer, plan: StreamPlan, round: number) {
  const [engine] = world.serving.engines.all;
  engine?.resetPrefixCache();
  const { vocabSize } = world.serving;
  const begun = performance.now();
  const streams = Array.from({ length: plan.streams }, async (_, index) => {
    const response = await fetch(`${url}/v1/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({
        prompt: Array.from({ length: 32 }, (_, at) => (100 + at * 7 + index * 13) % vocabSize),
        max_tokens: plan.maxTokens,
        ignore_eos: true,
        stream: true,
        return_token_ids: true,
        temperature: index % 2 === 0 ? 0 : 0.8,
        seed: 1000 * (round + 2) + index,
      }),
    });
    if (response.status !== 200) throw new Error(await response.text());
    const ids: number[] = [];
    for (const event of (await response.text()).split("\n\n")) {
      if (!event.startsWith("data: {")) continue;
      const { choices } = JSON.parse(event.slice(6)) as {
        readonly choices: readonly { readonly token_ids?: readonly number[] | null }[];
      };
      ids.push(...(choices[0]?.token_ids ?? []));
    }
    return ids;
  });
  const all = await Promise.all(streams);
  const seconds = (performance.now() - begun) / 1000;
  const count = all.reduce((sum, ids) => sum + ids.length, 0);
  if (count !== plan.streams * plan.maxTokens) throw new Error(`${count} ids came back.`);
  return {
    rate: count / seconds,
    text: all
      .map((ids) => ids.join(" "))
      .sort()
      .join("\n"),
  };
}

function tell(report: Report, name: string, figures: OverlapFigures): void {
  const on = median(figures.with);
  const off = median(figures.without);
  const ratios = figures.with.map((rate, round) => rate / (figures.without[round] ?? rate));
  report.line(
    `${name}: ${on.toFixed(0)} tok/s with, ${off.toFixed(0)} without: ${median(ratios).toFixed(3)}x ` +
      `(rounds ${ratios.map((ratio) => ratio.toFixed(2)).join(", ")}); ${figures.inFlight.join(" and ")} in flight`,
  );
  if (figures.priced !== undefined) {
    const [withIt, without] = figures.priced;
    const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
    report.line(
      `  priced: ${withIt.stepMs.toFixed(2)} ms a step with, ${without.stepMs.toFixed(2)} without; ` +
        `steps that wait for the host: ${percent(withIt.waited)} and ${percent(without.waited)}`,
    );
  }
  report.claim(`${name}: ids unchanged`, figures.sameIds, `${figures.with.length} rounds each`);
}

export const prove: Proof = async (report) => {
  const plan = { streams: 16, maxTokens: 200, rounds: 5 };
  const big = ["meta-llama/Llama-3.1-8B-Instruct", "--device", "trainium", "-tp", "4"];
  tell(
    report,
    "cpu, bundled model, 16 streams",
    await compareOverlap({ ...plan, argv: ["--device", "cpu"] }),
  );
  tell(
    report,
    "trainium, 8B, synthetic ids, 16 streams",
    await compareOverlap({ ...plan, rounds: 3, argv: [...big, "--values", "synthetic"] }),
  );
  tell(
    report,
    "trainium, 8B, borrowed words, 16 streams",
    await compareOverlap({ ...plan, rounds: 3, argv: big }),
  );
};
