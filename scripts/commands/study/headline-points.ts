/**
 * The configurations behind the talk's chart (headline.ts says what was registered
 * before the first run): data alone, so that a page computes it too.
 */
import { trainium3 } from "../../../device/trainium/chips/trainium3.ts";
import { constant } from "../../../device/trainium/constants.ts";
import type { InstanceSpec } from "../../../device/trainium/instances.ts";
import { planMemory } from "../../../device/trainium/memory.ts";
import type { Plan } from "../../../device/trainium/plan.ts";
import { halfWidth } from "../../../device/trainium/price/bands.ts";
import { CostModel } from "../../../device/trainium/price/cost-model.ts";
import { planFor } from "../../../device/trainium/settings.ts";
import { vllmNeuron } from "../../../device/trainium/stacks/registry.ts";
import type { Model } from "../../../models/model.ts";
import type { WeightFormat } from "../../../models/ops.ts";

export const INPUT = 10_000;
export const OUTPUT = 3_000;
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
export const CONFIGURATIONS = RANKS.length * ROWS.length;
const DRAFTS = 5;
const ACCEPTANCE = 0.69;
export const READ_USERS = [50, 100];
export const READ_RATE = [256, 1024];
export const CLAIMED_USERS = [4.5, 5.4];
export const CLAIMED_TOKENS = 6;
/** By how much both machines' 80 % bands of a step may move the ratio of their paces. */
export const CALIBRATED = halfWidth("MoE decode", "related") ?? 0;
export const EXTRAPOLATED = 2 * (halfWidth("MoE decode", "unknown") ?? 0);
export const BAND = Math.exp(Math.hypot(CALIBRATED, EXTRAPOLATED));

export interface Point {
  readonly users: number;
  /** Tokens a second and user. */
  readonly rate: number;
  readonly ranks: number;
  readonly rows: number;
  readonly drafted: number;
}

export interface PointOptions {
  readonly prefillElsewhere?: boolean;
  readonly kernels?: string;
  /** Told of each configuration that was looked at; there are `CONFIGURATIONS`. */
  readonly progress?: () => void;
}

/** Every configuration of a machine that fits. */
export function points(
  model: Model,
  instance: InstanceSpec,
  experts: WeightFormat,
  { progress = () => {}, ...options }: PointOptions = {},
): readonly Point[] {
  const found: Point[] = [];
  for (const ranks of RANKS) {
    for (const rows of ROWS) {
      progress();
      const own = { instance: instance.name, "neuron-kernels": options.kernels ?? "default" };
      const named = planFor({
        model,
        tensorParallel: ranks,
        own,
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

export const usersAt = (all: readonly Point[], rate: number, slower = 1): number =>
  all.reduce(
    (most, point) => (point.rate / slower >= rate ? Math.max(most, point.users) : most),
    0,
  );

export const rateAt = (all: readonly Point[], users: number, slower = 1): number =>
  all.reduce(
    (most, point) => (point.users >= users ? Math.max(most, point.rate / slower) : most),
    0,
  );

/** One of the differences between the machines, and the best configurations with all before it. */
export interface Difference {
  readonly name: string;
  readonly points: readonly Point[];
}

/** Trainium2 → Trainium3, one difference after another. */
export function decompose(
  model: Model,
  old: InstanceSpec,
  next: InstanceSpec,
  options: PointOptions = {},
): readonly Difference[] {
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
  return steps.map(([name, instance, experts]) => ({
    name,
    points: points(model, instance, experts, options),
  }));
}

function memoryOf(old: InstanceSpec): InstanceSpec["chip"] {
  const { hbmBytes, hbmBytesPerSecond, dmaBytesPerSecondPerCore } = trainium3;
  return { ...old.chip, hbmBytes, hbmBytesPerSecond, dmaBytesPerSecondPerCore };
}
