/**
 * A whole server on the cpu device loses ranks under load: threads are ended,
 * made to throw, made to hang. Every request must end as it would have without,
 * id by id, and /health must tell.
 */
import { pino } from "pino";
import { CpuDevice } from "../../../device/cpu/device.ts";
import { parseSettings } from "../../../server/config.ts";
import { type RunningServer, serve } from "../../../server/main.ts";
import type { Proof } from "./proof.ts";
import { quantile, sameIds, seeded } from "./proof.ts";

export type FaultKind = "terminate" | "throw" | "hang";

export interface FaultPlan {
  readonly requests: number;
  readonly maxTokens: number;
  /** Requests under way at once. */
  readonly clients: number;
  /** What happens, in this order, spread over the run. */
  readonly faults: readonly FaultKind[];
  /** Seconds, `--step-timeout`. */
  readonly limit: number;
  readonly model?: string;
}

export interface FaultResult {
  readonly ids: ReadonlyMap<number, readonly number[]>;
  /** Answers that were not 200, or did not end by length. */
  readonly lost: number;
  readonly faults: number;
  readonly failedSteps: number;
  readonly health: HealthTally;
  readonly seconds: number;
}

/** Probes of /health against what the engine was doing before and after the probe. */
export interface HealthTally {
  readonly probes: number;
  /** The engine was failing or stalled all the while, and the probe said 503. */
  readonly rightlyBad: number;
  /** It was well all the while, and the probe said 200. */
  readonly rightlyGood: number;
  readonly lies: number;
  /** For each hang: milliseconds from its beginning to the first 503. */
  readonly hangsNoticed: readonly number[];
}

export async function runWithFaults(plan: FaultPlan): Promise<FaultResult> {
  const argv = ["--device", "cpu", "--port", "0", "-tp", "2", "--step-timeout", String(plan.limit)];
  const { settings } = parseSettings([...(plan.model === undefined ? [] : [plan.model]), ...argv]);
  const server = await serve(settings, pino({ level: "silent" }));
  const awake = setInterval(() => {}, 1000); // the server's own timers let a process end
  try {
    return await drill(server, plan);
  } finally {
    await server.stop(0);
    clearInterval(awake);
  }
}

async function drill(server: RunningServer, plan: FaultPlan): Promise<FaultResult> {
  const [engine] = server.world.serving.engines.all;
  const { device } = server.world;
  if (engine === undefined || !(device instanceof CpuDevice)) throw new Error("not a cpu server");
  const begun = performance.now();
  const watch = watchHealth(server, plan.limit);
  const random = seeded(7);
  // About one step a token and wave of clients: faults are spread over them.
  const waves = Math.ceil(plan.requests / plan.clients);
  const every = Math.max(2, Math.floor((0.8 * waves * plan.maxTokens) / (plan.faults.length + 1)));
  let steps = 0;
  let failedSteps = 0;
  let faults = 0;
  let at = every;
  const strike = (): void => {
    const kind = plan.faults[faults];
    if (kind === undefined) return;
    faults++;
    const rank = Math.floor(random() * device.ranks.threads.length);
    if (kind === "terminate") void device.ranks.threads[rank]?.terminate();
    else device.ranks.inject(rank, kind);
    if (kind === "hang") watch.hangBegins();
  };
  const unsubscribe = engine.subscribe((event) => {
    if (event.type === "step-failed") {
      failedSteps++;
      watch.probe();
    }
    if (event.type !== "step-finished" || ++steps < at) return;
    at = steps + Math.ceil(every * (0.4 + 0.7 * random()));
    // Somewhere within a step, not always at its end.
    setTimeout(strike, random() * 4);
  });
  const ids = new Map<number, readonly number[]>();
  let lost = 0;
  let next = 0;
  const client = async (): Promise<void> => {
    for (let index = next++; index < plan.requests; index = next++) {
      const answer = await ask(server.url, index, plan.maxTokens);
      if (answer === undefined) lost++;
      else ids.set(index, answer);
    }
  };
  await Promise.all(Array.from({ length: plan.clients }, client));
  unsubscribe();
  engine.check();
  const health = await watch.stop();
  const seconds = (performance.now() - begun) / 1000;
  return { ids, lost, faults, failedSteps, health, seconds };
}

/** Greedy and seeded by turns; prompts share beginnings, so that the cache takes part. */
async function ask(
  url: string,
  index: number,
  maxTokens: number,
): Promise<readonly number[] | undefined> {
  const random = seeded(index + 1);
  const prompt = Array.from({ length: 20 + Math.floor(random() * 60) }, (_, at) =>
    at < 18 ? 100 + (index % 3) * 40 + at : 50 + Math.floor(random() * 200),
  );
  const response = await fetch(`${url}/v1/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      prompt,
      max_tokens: maxTokens,
      ignore_eos: true,
      return_token_ids: true,
      temperature: index % 2 === 0 ? 0 : 0.9,
      seed: index,
    }),
  });
  if (response.status !== 200) return undefined;
  const { choices } = (await response.json()) as {
    readonly choices: readonly { readonly finish_reason: string; readonly token_ids: number[] }[];
  };
  const [choice] = choices;
  return choice?.finish_reason === "length" ? choice.token_ids : undefined;
}

/** Asks /health all the time, and notes when it should have said what. */
function watchHealth({ world, url }: RunningServer, limitSeconds: number) {
  const { engines, clock } = world.serving;
  let rightlyBad = 0;
  let rightlyGood = 0;
  let lies = 0;
  let probes = 0;
  let hangAt: number | undefined;
  const hangsNoticed: number[] = [];
  /** Changes whenever a step ends. */
  let epoch = 0;
  const stop = engines.all.map((engine) =>
    engine.subscribe((event) => {
      if (event.type === "step-finished" || event.type === "step-failed") epoch++;
    }),
  );
  const state = (): "bad" | "good" => {
    const bad = engines.all.some((engine) => {
      const { pending, failures, sinceProgress } = engine.health(clock.now());
      return pending && (failures > 0 || sinceProgress >= limitSeconds * 1e9);
    });
    return bad ? "bad" : "good";
  };
  const probe = async (): Promise<void> => {
    const before = state();
    const then = epoch;
    const { status } = await fetch(`${url}/health`);
    probes++;
    if (status === 503 && hangAt !== undefined) {
      hangsNoticed.push(performance.now() - hangAt);
      hangAt = undefined;
    }
    if (before !== state() || (before === "bad" && then !== epoch)) return; // it changed meanwhile
    if (status === (before === "bad" ? 503 : 200)) before === "bad" ? rightlyBad++ : rightlyGood++;
    else if (then === epoch) lies++;
  };
  const under = new Set<Promise<void>>();
  const start = (): void => {
    const one = probe().finally(() => under.delete(one));
    under.add(one);
  };
  const timer = setInterval(start, 20);
  return {
    probe: start,
    hangBegins: () => {
      hangAt = performance.now();
    },
    stop: async (): Promise<HealthTally> => {
      clearInterval(timer);
      for (const each of stop) each();
      await Promise.all(under);
      return { probes, rightlyBad, rightlyGood, lies, hangsNoticed };
    },
  };
}

export const prove: Proof = async (report) => {
  const plan = { requests: 160, maxTokens: 48, clients: 12, limit: 1.5 } as const;
  const random = seeded(20261123);
  const faults = Array.from(
    { length: 20 },
    () => (random() < 0.5 ? "terminate" : "throw") as FaultKind,
  );
  const undisturbed = await runWithFaults({ ...plan, faults: [] });
  const disturbed = await runWithFaults({ ...plan, faults });
  const hung = await runWithFaults({ ...plan, requests: 60, faults: ["hang", "hang"] });
  const count = (kind: FaultKind): number => faults.filter((each) => each === kind).length;
  report.line(
    `${plan.requests} requests, ${plan.clients} at once, 2 ranks: ${undisturbed.seconds.toFixed(1)} s; with ` +
      `${count("terminate")} ranks terminated and ${count("throw")} made to throw ${disturbed.seconds.toFixed(1)} s`,
  );
  report.claim(
    "all faults happened",
    disturbed.faults === faults.length && disturbed.failedSteps >= faults.length,
    `${disturbed.faults} faults, ${disturbed.failedSteps} failed steps`,
  );
  report.claim("no request lost", disturbed.lost === 0, `${disturbed.lost} of ${plan.requests}`);
  report.claim(
    "ids as undisturbed",
    sameIds(undisturbed.ids, disturbed.ids),
    `${disturbed.ids.size} requests compared`,
  );
  const { health } = disturbed;
  report.claim(
    "/health told the truth",
    health.lies === 0 && health.rightlyBad > 0 && health.rightlyGood > 0,
    `${health.probes} probes, ${health.rightlyBad} rightly 503, ${health.rightlyGood} rightly 200, ${health.lies} wrong`,
  );
  const noticed = quantile(hung.health.hangsNoticed, 1);
  report.claim(
    `a step that hangs: 503 within ${plan.limit} s and half a second of probing`,
    hung.health.hangsNoticed.length === 2 && noticed < plan.limit * 1000 + 500 && hung.lost === 0,
    `after ${hung.health.hangsNoticed.map((ms) => ms.toFixed(0)).join(" and ")} ms; ${hung.lost} requests lost`,
  );
};
