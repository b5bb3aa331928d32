/**
 * The talk's chart (rows 4–6): gpt-oss-120b, users against tokens/s that each
 * gets, on a Trainium3 Gen2 UltraServer and on a Trainium2 UltraServer, each in
 * its best configuration at every point.
 *
 * Registered before the first run, 2026-11-23:
 * - 10,000 tokens in, 3,000 out, no prefix shared; steady state; users = replicas × rows;
 * - Trainium2: experts dequantised to BF16 (it has no MX), Trainium3: MXFP4; KV in BF16 on both;
 * - TP 4 to 64 and rows 1 to 256 where HBM allows; speculation off, or 5 drafts of a head at 0.69;
 * - time a token = step + (rows − 1) × prompt ÷ 3,000: one prompt at a time stalls the others;
 * - read vertically at 50 and 100 tokens/s/user, horizontally at 256 and 1,024 users;
 * - claims: 5.4× (AIM351) or 4.5× (AIM201) users; over 6× tokens.
 *
 * Changed since, none of the above: 2026-11-23, cases with FP8 experts on Trainium2 and
 * with prompts elsewhere, after the first run; 2026-11-25, ratios without kernels and
 * without speculation, the verdict at each registered point, bands from bands.ts.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { trainium3 } from "../../../device/trainium/chips/trainium3.ts";
import { constant } from "../../../device/trainium/constants.ts";
import { findInstance, type InstanceSpec } from "../../../device/trainium/instances.ts";
import { planMemory } from "../../../device/trainium/memory.ts";
import type { Plan } from "../../../device/trainium/plan.ts";
import { halfWidth } from "../../../device/trainium/price/bands.ts";
import { CostModel } from "../../../device/trainium/price/cost-model.ts";
import { vllmNeuron } from "../../../device/trainium/stacks/registry.ts";
import type { WeightFormat } from "../../../models/ops.ts";
import { Progress } from "../../load/progress.ts";
import { table } from "../validate/report.ts";
import { frontierChart } from "./chart.ts";
import { studyModel, studyPlan } from "./model.ts";
import type { Study } from "./study.ts";

const INPUT = 10_000;
const OUTPUT = 3_000;
const CONTEXT = 13_056;
const PROMPT = 10_240;
const RANKS = [4, 8, 16, 32, 64];
const ROWS = [
  ...Array.from({ length: 16 }, (_, row) => row + 1),
  20,
  24,
  28,
  32,
  40,
  48,
  56,
  64,
  80,
  96,
  128,
  160,
  192,
  256,
];
const DRAFTS = 5;
const ACCEPTANCE = 0.69;
const READ_USERS = [50, 100];
const READ_RATE = [256, 1024];
const CLAIMED_USERS = [4.5, 5.4];
const CLAIMED_TOKENS = 6;
/** By how much both machines' 80 % bands of a step may move the ratio of their paces. */
const CALIBRATED = halfWidth("MoE decode", "related") ?? 0;
const EXTRAPOLATED = 2 * (halfWidth("MoE decode", "unknown") ?? 0);
const BAND = Math.exp(Math.hypot(CALIBRATED, EXTRAPOLATED));

interface Point {
  readonly users: number;
  /** Tokens a second and user. */
  readonly rate: number;
  readonly ranks: number;
  readonly rows: number;
  readonly drafted: number;
}

const model = studyModel("openai/gpt-oss-120b");

function points(
  instance: InstanceSpec,
  experts: WeightFormat,
  options: { readonly prefillElsewhere?: boolean; readonly kernels?: string } = {},
): readonly Point[] {
  const found: Point[] = [];
  const bar = new Progress(`${instance.name}, ${experts} experts`, RANKS.length * ROWS.length, {
    unit: "systems",
  });
  for (const ranks of RANKS) {
    for (const rows of ROWS) {
      bar.step();
      const own = { instance: instance.name, "neuron-kernels": options.kernels ?? "default" };
      const named = studyPlan(model, ranks, own, {
        maxRows: rows,
        maxContext: CONTEXT,
        maxTokens: PROMPT,
      });
      const plan: Plan = {
        ...named,
        instance,
        formats: { dense: "bf16", experts, kv: "bf16" },
        stack: { ...vllmNeuron, kvShare: 0.9 },
      };
      if (!fits(plan)) continue;
      const replicas = Math.floor(
        (plan.instance.chips * plan.instance.chip.cores) / plan.logicalCore / ranks,
      );
      const cost = new CostModel(plan);
      for (const drafted of [0, DRAFTS]) {
        const ms = tokenMilliseconds(cost, {
          rows: options.prefillElsewhere ? 1 : rows,
          batch: rows,
          drafted,
        });
        found.push({ users: replicas * rows, rate: 1000 / ms, ranks, rows, drafted });
      }
    }
  }
  bar.end();
  return found;
}

/** All rows' caches must lie in HBM at once. */
function fits(plan: Plan): boolean {
  try {
    return planMemory(plan).blocks >= plan.maxRows * Math.ceil(CONTEXT / plan.stack.blockSize);
  } catch {
    return false; // the model alone does not fit: not a configuration
  }
}

/** ms between two tokens of a user; `rows` share the prompts' stalls, `batch` the step. */
function tokenMilliseconds(
  cost: CostModel,
  its: { readonly rows: number; readonly batch: number; readonly drafted: number },
): number {
  const { rows, drafted } = its;
  const shape = { phase: "decode", rows: its.batch, context: CONTEXT } as const;
  const one = cost.graph({ ...shape, queries: 1 });
  let step = one.nanos;
  let tokens = 1;
  if (drafted > 0) {
    const edge = one.epilogue.reduce((sum, call) => sum + call.nanos, 0);
    const head = (one.nanos - edge) / cost.plan.architecture.layers.length + edge;
    // Speculation turns asynchronous steps off: the host's gap is paid.
    const gap = constant(cost.plan.constants, "runtime.sync-gap");
    step = cost.graph({ ...shape, queries: 1 + drafted }).nanos + drafted * head + gap;
    for (let index = 1; index <= drafted; index++) tokens += ACCEPTANCE ** index;
  }
  const prompt = cost.graph({ phase: "prefill", rows: 1, queries: PROMPT, context: PROMPT }).nanos;
  return (step / tokens + ((rows - 1) * prompt) / OUTPUT) / 1e6;
}

const usersAt = (all: readonly Point[], rate: number, slower = 1): number =>
  all.reduce(
    (most, point) => (point.rate / slower >= rate ? Math.max(most, point.users) : most),
    0,
  );

const rateAt = (all: readonly Point[], users: number, slower = 1): number =>
  all.reduce(
    (most, point) => (point.users >= users ? Math.max(most, point.rate / slower) : most),
    0,
  );

export const headlineStudy: Study = async (print, { out } = {}) => {
  const old = findInstance("trn2-ultraserver");
  const next = findInstance("trn3-gen2-ultraserver");
  const two = points(old, "bf16");
  const three = points(next, "mxfp4");
  print(
    `gpt-oss-120b, ${INPUT} in / ${OUTPUT} out: ${old.name} (64 chips) and ${next.name} (144), best configuration of each.`,
  );
  print(
    "Trainium3 is extrapolated; the band moves its step time by the 80 % bands of both machines.\n",
  );
  print("Users at an interactivity (read vertically):");
  print(readVertically(two, three));
  print("\nTokens/s at a number of users (read horizontally):");
  print(readHorizontally(two, three));
  print("\nFrom one to the other, one difference at a time (users at the interactivity):");
  print(decomposition(old, next));
  print("\nWhat both machines have, taken from both (ratio of users, and the factor that it is):");
  print(shared(two, three, old, next));
  print("\nAdded after the first run, to see what the claims assume (ratio of users):");
  const eight = points(old, "fp8");
  print(sensitivity([two, eight], three, old, next));
  print(`\nThe claims at the registered points, as registered:\n${verdict(two, three)}`);
  print(
    `\nIf Trainium2 runs FP8 experts instead (added after the first run):\n${verdict(eight, three)}`,
  );
  if (out === undefined) {
    print("\n--out FOLDER writes the chart.");
    return 0;
  }
  const chart = join(out, "headline.svg");
  writeFileSync(
    chart,
    frontierChart(`gpt-oss-120b, ${INPUT} in / ${OUTPUT} out`, [
      { name: "Trn2 UltraServer, 64 chips, BF16", points: two, band: CALIBRATED },
      { name: "the same, FP8 experts", points: eight, band: CALIBRATED },
      {
        name: "Trn3 Gen2 UltraServer, 144 chips, MXFP4 (extrapolated)",
        points: three,
        band: EXTRAPOLATED,
      },
    ]),
  );
  print(`\nChart: ${chart}`);
  return 0;
};

const ratio = (a: number, b: number): string =>
  b === 0 ? (a === 0 ? "–" : "∞") : `${(a / b).toFixed(2)}×`;

function readVertically(two: readonly Point[], three: readonly Point[]): string {
  return table([
    ["tokens/s/user", "Trn2 users", "Trn3 users", "ratio", "band", "ratio a chip"],
    ...[10, 15, 20, 30, ...READ_USERS, 75, 125, 150, 200, 250]
      .sort((a, b) => a - b)
      .map((rate) => {
        const [a, b] = [usersAt(two, rate), usersAt(three, rate)];
        const low = ratio(usersAt(three, rate, BAND), a);
        const high = ratio(usersAt(three, rate, 1 / BAND), a);
        return [
          `${rate}`,
          `${a}`,
          `${b}`,
          ratio(b, a),
          `${low} to ${high}`,
          ratio(b / 144, a / 64),
        ];
      }),
  ]);
}

function readHorizontally(two: readonly Point[], three: readonly Point[]): string {
  return table([
    ["users", "Trn2 a user", "Trn3 a user", "ratio a user, system", "ratio a chip"],
    ...[16, 64, 128, ...READ_RATE, 512, 2048]
      .sort((a, b) => a - b)
      .map((users) => {
        const [a, b] = [rateAt(two, users), rateAt(three, users)];
        return [`${users}`, a.toFixed(1), b.toFixed(1), ratio(b, a), ratio(b / 144, a / 64)];
      }),
  ]);
}

/** Ratio with everything ÷ ratio without kernels, and without speculation: both machines have both. */
function shared(
  two: readonly Point[],
  three: readonly Point[],
  old: InstanceSpec,
  next: InstanceSpec,
): string {
  const plain = { kernels: "plain" };
  const alone = (all: readonly Point[]): readonly Point[] => all.filter((its) => its.drafted === 0);
  const cases: readonly (readonly [string, readonly Point[], readonly Point[]])[] = [
    ["kernels", points(old, "bf16", plain), points(next, "mxfp4", plain)],
    ["speculation", alone(two), alone(three)],
  ];
  const rates = [20, 30, ...READ_USERS];
  return table([
    ["without", ...rates.flatMap((rate) => [`at ${rate}`, "factor"])],
    ...cases.map(([name, a, b]) => [
      name,
      ...rates.flatMap((rate) => {
        const [without, users] = [usersAt(b, rate), usersAt(a, rate)];
        if (users === 0) return [without === 0 ? "–" : "∞", "–"];
        const whole = usersAt(three, rate) / usersAt(two, rate);
        return [`${(without / users).toFixed(2)}×`, `×${(whole / (without / users)).toFixed(2)}`];
      }),
    ]),
  ]);
}

function sensitivity(
  [two, eight]: readonly [readonly Point[], readonly Point[]],
  three: readonly Point[],
  old: InstanceSpec,
  next: InstanceSpec,
): string {
  const apart = { prefillElsewhere: true };
  const cases: readonly (readonly [string, readonly Point[], readonly Point[]])[] = [
    ["as registered", two, three],
    ["Trn2 with FP8 experts", eight, three],
    ["prompts elsewhere on both", points(old, "bf16", apart), points(next, "mxfp4", apart)],
    ["both of these", points(old, "fp8", apart), points(next, "mxfp4", apart)],
  ];
  const rates = [20, 30, ...READ_USERS, 150];
  return table([
    ["case", ...rates.map((rate) => `at ${rate}`)],
    ...cases.map(([name, a, b]) => [
      name,
      ...rates.map((rate) => {
        const users = usersAt(a, rate);
        return users === 0 ? "–" : `${(usersAt(b, rate) / users).toFixed(2)}×`;
      }),
    ]),
  ]);
}

/** What each claim comes to at the registered points, and where on the axis it holds. */
function verdict(two: readonly Point[], three: readonly Point[]): string {
  const says = (ratio: readonly [number, number, number], claim: number): string => {
    const [low, middle, high] = ratio;
    const holds = low <= claim && claim <= high;
    return `${claim}× ${holds ? "within the band" : middle > claim ? "exceeded" : "not reached"}`;
  };
  const span = ([low, middle, high]: readonly [number, number, number]): string =>
    `${middle.toFixed(2)}× (${low.toFixed(2)} to ${high.toFixed(2)})`;
  const users = READ_USERS.map((rate) => {
    const before = Math.max(1, usersAt(two, rate));
    const ratio = [BAND, 1, 1 / BAND].map((slower) => usersAt(three, rate, slower) / before) as [
      number,
      number,
      number,
    ];
    const claims = CLAIMED_USERS.map((claim) => says(ratio, claim)).join(", ");
    return `  at ${rate} tokens/s/user: ${span(ratio)} users: ${claims}`;
  });
  const tokens = READ_RATE.map((count) => {
    const before = rateAt(two, count);
    const ratio = [BAND, 1, 1 / BAND].map((slower) => rateAt(three, count, slower) / before) as [
      number,
      number,
      number,
    ];
    const chip = (ratio[1] * 64) / 144;
    return (
      `  at ${count} users: ${span(ratio)} tokens/s a user and a system, ${chip.toFixed(2)}× a chip: ` +
      says(ratio, CLAIMED_TOKENS)
    );
  });
  return [...users, ...tokens, ...CLAIMED_USERS.map((claim) => holding(two, three, claim))].join(
    "\n",
  );
}

/** Where on the axis a claim of users holds. */
function holding(two: readonly Point[], three: readonly Point[], claim: number): string {
  const rates: number[] = [];
  for (let rate = 5; rate <= 300; rate += 5) {
    const a = usersAt(two, rate);
    if (a > 0 && usersAt(three, rate) / a >= claim) rates.push(rate);
  }
  const [first] = rates;
  const last = rates[rates.length - 1];
  return first === undefined
    ? `${claim}× users holds at no interactivity.`
    : `${claim}× users holds at ${rates.length} of 60 interactivities between ${first} and ${last} tokens/s/user.`;
}

/** Trainium2 → Trainium3, one difference after another. */
function decomposition(old: InstanceSpec, next: InstanceSpec): string {
  const steps: readonly (readonly [string, InstanceSpec, WeightFormat])[] = [
    ["Trn2 UltraServer", old, "bf16"],
    ["144 chips", { ...old, chips: next.chips }, "bf16"],
    [
      "HBM capacity",
      { ...old, chips: 144, chip: { ...old.chip, hbmBytes: trainium3.hbmBytes } },
      "bf16",
    ],
    ["HBM and DMA bandwidth", { ...old, chips: 144, chip: memoryOf(old) }, "bf16"],
    [
      "MXFP4 experts, MX tensor rate",
      { ...old, chips: 144, chip: { ...memoryOf(old), tensorRate: trainium3.tensorRate } },
      "mxfp4",
    ],
    [
      "links: NeuronSwitch",
      {
        ...next,
        chip: { ...memoryOf(old), tensorRate: trainium3.tensorRate, link: trainium3.link },
      },
      "mxfp4",
    ],
    ["core: clocks and widths", next, "mxfp4"],
  ];
  const rates = [20, ...READ_USERS];
  let before: readonly number[] | undefined;
  const lines = steps.map(([name, instance, experts]) => {
    const all = points(instance, experts);
    const users = rates.map((rate) => usersAt(all, rate));
    const line = [
      name,
      ...users.flatMap((its, index) => [
        `${its}`,
        before === undefined ? "" : `×${(its / Math.max(1, before[index] ?? 1)).toFixed(2)}`,
      ]),
    ];
    before = users;
    return line;
  });
  return table([["step", ...rates.flatMap((rate) => [`at ${rate}`, "×"])], ...lines]);
}

function memoryOf(old: InstanceSpec): InstanceSpec["chip"] {
  const { hbmBytes, hbmBytesPerSecond, dmaBytesPerSecondPerCore } = trainium3;
  return { ...old.chip, hbmBytes, hbmBytesPerSecond, dmaBytesPerSecondPerCore };
}
