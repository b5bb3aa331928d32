/**
 * Attacks a server that it starts, one kind after the other, while a client on the same
 * machine reads a stream paced at 40 tokens/s. Printed for each: whether the server
 * lives, the stream's longest gap of all runs (250 ms allowed, 400 where a body is above
 * 16 MB), the most that the server's event loop computed within one gap (on a machine busy
 * with others, what a quiet one would show), the slowest /health, and memory before, at
 * its most and after.
 *
 *     npm run build && npx tsx scripts/maintain/attack/main.ts [--runs 5] [--only WORD] [--port 9240]
 *
 * The exit code is 1 when a server ended or a stream stood still for longer.
 */
import { parseArgs } from "node:util";
import { ATTACKS, type Attack } from "./attacks.ts";
import { memoryOf, startTarget, type Target, Watch } from "./server.ts";

const ALLOWED_MS = 250;
const ALLOWED_LARGE_MS = 400;
/** Memory that may stay, and how long it is waited for. */
const STAYS_MIB = 200;
const SETTLE_MS = 20_000;

interface Outcome {
  readonly alive: boolean;
  readonly gap: number;
  readonly computed: number;
  readonly health: number;
  readonly most: number;
  readonly answers: readonly string[];
}

async function attack(
  target: Target,
  watch: Watch,
  { one, runs }: { readonly one: Attack; readonly runs: number },
): Promise<Outcome> {
  let gap = 0;
  let computed = 0;
  let health = 0;
  let most = 0;
  const answers = new Set<string>();
  const timer = setInterval(() => {
    most = Math.max(most, memoryOf(target.pid));
  }, 100);
  for (let run = 0; run < runs && target.alive(); run++) {
    await watch.take();
    answers.add(await one.run(target));
    await sleep(1_000);
    const seen = await watch.take();
    gap = Math.max(gap, seen.gap);
    computed = Math.max(computed, seen.computed);
    health = Math.max(health, seen.health);
  }
  clearInterval(timer);
  return { alive: target.alive(), gap, computed, health, most, answers: [...answers] };
}

async function settled(target: Target, before: number): Promise<number> {
  const begun = performance.now();
  let memory = memoryOf(target.pid);
  while (memory > before + STAYS_MIB && performance.now() - begun < SETTLE_MS) {
    await sleep(1_000);
    memory = memoryOf(target.pid);
  }
  return memory;
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function run(argv: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      runs: { type: "string", default: "5" },
      only: { type: "string", default: "" },
      port: { type: "string", default: "9240" },
    },
  });
  const data = process.env["TRAINYARD_DATA"] ?? "../shared/data";
  let target = await startTarget(data, Number(values.port));
  let watch = new Watch(target);
  await sleep(3_000);
  const quiet = await watch.take();
  process.stdout.write(`at rest: gap ${quiet.gap.toFixed(0)} ms, ${quiet.tokens} pieces read\n`);
  let failed = 0;
  for (const one of ATTACKS.filter(({ name }) => name.includes(values.only))) {
    const before = memoryOf(target.pid);
    const seen = await attack(target, watch, { one, runs: Number(values.runs) });
    const after = await settled(target, before);
    const allowed = one.large ? ALLOWED_LARGE_MS : ALLOWED_MS;
    const good = seen.alive && seen.gap <= allowed;
    if (!good) failed++;
    const memory = [before, seen.most, after].map((mib) => mib.toFixed(0)).join(" → ");
    const columns = [
      seen.alive ? "alive" : "ENDED",
      `gap ${seen.gap.toFixed(0)} of ${allowed} ms${good ? "" : " !"} (${seen.computed.toFixed(0)} computed)`,
      `/health ${seen.health.toFixed(0)} ms`,
      `${memory} MiB`,
      seen.answers.join(" | "),
    ];
    process.stdout.write(`${one.name.padEnd(34)} ${columns.join("; ")}\n`);
    if (!target.alive()) {
      await watch.stop();
      target = await startTarget(data, Number(values.port));
      watch = new Watch(target);
    }
  }
  await watch.stop();
  await target.stop();
  process.stdout.write(`${failed} of the attacks ended the server or held the stream up\n`);
  return failed === 0 ? 0 : 1;
}

process.exitCode = await run(process.argv.slice(2));
