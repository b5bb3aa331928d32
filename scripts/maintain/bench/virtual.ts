/**
 * What virtual time costs, of builds (`npm run build`) and each run in a process of its own:
 * Mooncake's trace, nine points of three shapes, and row-steps of the engine. With --against
 * the builds alternate, and the median of the paired ratios stands with its 90 % interval.
 *
 *     npx tsx scripts/maintain/bench/virtual.ts [--rounds 5] [--against FOLDER] [--only mooncake,sweep,steps]
 *
 * FOLDER holds another checkout with its dist/. Processor time first: a busy machine stretches the wall more.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { performance } from "node:perf_hooks";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { NODE_FLAGS } from "../../node-flags.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    against: { type: "string" },
    only: { type: "string", default: "mooncake,sweep,steps" },
    trace: {
      type: "string",
      default: "../shared/data/traces-mooncake/conversation_trace.jsonl.gz",
    },
    /** Of a child: the build, users and mode whose row-steps it makes. */
    steps: { type: "string" },
  },
});

const HERE = resolve(".");
const STEP_NANOS = 10_000_000;

interface Cost {
  /** Seconds. */
  readonly cpu: number;
  readonly wall: number;
}

/** Runs Node and reads the first processor time told: the whole process's, as it ends, unless it told one before. */
function run(args: readonly string[]): Cost {
  const told =
    "process.on('exit',()=>process.stderr.write('\\nCPU '+JSON.stringify(process.cpuUsage())))";
  const began = performance.now();
  const child = spawnSync(
    process.execPath,
    [...NODE_FLAGS, "--import", `data:text/javascript,${encodeURIComponent(told)}`, ...args],
    { encoding: "utf8", maxBuffer: 2 ** 26 },
  );
  const wall = (performance.now() - began) / 1000;
  const usage = /CPU (\{.*\})/.exec(child.stderr)?.[1];
  if (child.status !== 0 || usage === undefined) throw new Error(child.stderr);
  const { user, system } = JSON.parse(usage) as NodeJS.CpuUsage; // written above
  return { cpu: (user + system) / 1e6, wall };
}

const command = (root: string, line: string): Cost =>
  run([join(root, "dist/scripts/cli.js"), ...line.split(" ")]);

/** Each case: what it costs on a build. */
const CASES: Readonly<Record<string, (root: string) => Cost>> = {
  ...(existsSync(values.trace) && {
    mooncake: (root) =>
      command(
        root,
        `bench replay --trace ${resolve(values.trace)} --format mooncake --block-size 512 --endless-cache --prefix-caching on`,
      ),
  }),
  sweep: (root) =>
    ["1k1k", "1k8k", "8k1k"]
      .map((shape) =>
        command(root, `sweep --concurrency 1..256 --shape ${shape} --quiet --no-chart`),
      )
      .reduce((sum, each) => ({ cpu: sum.cpu + each.cpu, wall: sum.wall + each.wall })),
  ...Object.fromEntries(
    ["1 repeat", "16 repeat", "256 repeat", "1 single", "16 single", "256 single"].map((which) => [
      `steps ${which}`,
      (root: string) =>
        run(["--import", "tsx", fileURLToPath(import.meta.url), "--steps", `${root} ${which}`]),
    ]),
  ),
};

/** Closed-loop users of a build's engine on the null device: prompts of 200, outputs of 300. */
async function steps(root: string, users: number, repeat: boolean): Promise<void> {
  const part = <Module>(path: string): Promise<Module> =>
    import(pathToFileURL(join(root, "dist", path)).href) as Promise<Module>; // the build's, by its path
  const { VirtualClock } = await part<typeof import("../../../device/clocks/virtual.ts")>(
    "device/clocks/virtual.js",
  );
  const { NullDevice } =
    await part<typeof import("../../../device/null/device.ts")>("device/null/device.js");
  const { Engine } = await part<typeof import("../../../engine/engine.ts")>("engine/engine.js");
  const { TokenSampler } = await part<typeof import("../../../engine/sample/sampler.ts")>(
    "engine/sample/sampler.js",
  );
  const { DEFAULT_SAMPLING } =
    await part<typeof import("../../../engine/sequence.ts")>("engine/sequence.js");
  const { sha256 } = await part<typeof import("../../../server/sha256.ts")>("server/sha256.js");
  const [clock, sampler] = [new VirtualClock(), new TokenSampler()];
  const device = new NullDevice({
    clock,
    sampler,
    limits: {
      ...{ blockSize: 16, blocks: 40_000, maxRows: users, maxTokens: 8192, maxContext: 4096 },
      ...{ maxDrafted: 8, inFlight: 1 },
    },
    vocabSize: 32_000,
    values: "ids",
    price: () => STEP_NANOS,
  });
  const options = { maxNumSeqs: users, maxNumBatchedTokens: 8192, repeat };
  const engine = new Engine(
    { device, clock, sampler, sha256 },
    { ...options, enablePrefixCaching: false },
  );
  const params = { ...DEFAULT_SAMPLING, maxTokens: 300, ignoreEos: true };
  const prompt = new Int32Array(200).fill(5);
  let left = repeat ? 20_000 : 3000;
  engine.subscribe((event) => {
    if (event.type === "request-finished" && left-- > 0) engine.submit({ prompt, params });
  });
  for (let i = 0; i < users; i++) clock.at(i * STEP_NANOS, () => engine.submit({ prompt, params }));
  const began = process.cpuUsage();
  clock.runReady();
  process.stderr.write(`CPU ${JSON.stringify(process.cpuUsage(began))}\n`); // without the start
}

const ordered = (list: readonly number[]): number[] => [...list].sort((a, b) => a - b);
const median = (list: readonly number[]): number => ordered(list)[list.length >> 1] ?? 0;

/** 90 % interval of the median, by drawing the list anew 4,000 times. */
function interval(list: readonly number[]): string {
  const draw = (): number => list[Math.floor(Math.random() * list.length)] ?? 0;
  const medians = ordered(Array.from({ length: 4000 }, () => median(list.map(draw))));
  return `${medians[200]?.toFixed(3)} to ${medians[3800]?.toFixed(3)}`;
}

function tell(name: string, cost: (root: string) => Cost): void {
  const own: Cost[] = [];
  const ratios: number[] = [];
  for (let round = 0; round < Number(values.rounds); round++) {
    const other = values.against === undefined ? undefined : resolve(values.against);
    const before = other !== undefined && round % 2 === 0 ? cost(other) : undefined;
    const its = cost(HERE);
    own.push(its);
    if (other !== undefined) ratios.push((before ?? cost(other)).cpu / its.cpu);
  }
  const [cpu, wall] = [median(own.map((each) => each.cpu)), median(own.map((each) => each.wall))];
  const paired =
    ratios.length === 0 ? "" : `   rate ratio ${median(ratios).toFixed(3)} (${interval(ratios)})`;
  process.stdout.write(
    `${name.padEnd(18)} CPU ${cpu.toFixed(2)} s   wall ${wall.toFixed(2)} s${paired}\n`,
  );
}

if (values.steps !== undefined) {
  const [root = HERE, users, mode] = values.steps.split(" ");
  await steps(root, Number(users), mode === "repeat");
} else {
  const wanted = values.only.split(",");
  for (const [name, cost] of Object.entries(CASES))
    if (wanted.includes(name.split(" ")[0] ?? name)) tell(name, cost);
}
