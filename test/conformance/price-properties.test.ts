import { readdirSync } from "node:fs";
import { expect, it } from "vitest";
import type { ChipSpec } from "../../device/trainium/chips/chip.ts";
import { constant } from "../../device/trainium/constants.ts";
import { findInstance } from "../../device/trainium/instances.ts";
import { padded, type StepShape } from "../../device/trainium/kernels/kernel.ts";
import { KERNEL_NAMES } from "../../device/trainium/kernels/registry.ts";
import type { Plan } from "../../device/trainium/plan.ts";
import { CostModel } from "../../device/trainium/price/cost-model.ts";
import { floorNanos } from "../../device/trainium/price/floor.ts";
import { STACKS } from "../../device/trainium/stacks/registry.ts";
import { projectPath } from "../../models/weights/project-files.ts";
import { studyModel, studyPlan } from "../../scripts/commands/study/model.ts";

/**
 * Prices over the catalogue × machines × stacks × ranks × rows × context, at every corner of that space
 * and at seeded points within: finite, above the floor, no dearer with a named kernel, growing with rows
 * and context, falling with bandwidth and clocks, and twice the ranks never more than a quarter slower.
 * TRAINYARD_POINTS and TRAINYARD_SEED say how many points, and which.
 */
const POINTS = Number(process.env["TRAINYARD_POINTS"] ?? 20_000);
const SEED = Number(process.env["TRAINYARD_SEED"] ?? 20_261_130);

const MODELS = readdirSync(projectPath("models", "catalog"))
  .filter((file) => file.endsWith(".json"))
  .map((file) => file.replace(/\.json$/, "").replace("--", "/"));
const MACHINES = ["inf2.48xlarge", "trn1.32xlarge", "trn2.48xlarge", "trn3-gen1-ultraserver"];
const RANKS = [1, 2, 4, 8, 16, 32, 64];
const ROWS = [1, 2, 3, 4, 8, 16, 32, 48, 64, 128, 256];
const CONTEXTS = [128, 256, 1024, 2048, 4096, 16_384, 65_536, 131_072];
const TOKENS = [1, 64, 128, 256, 512, 1024, 2048, 4096, 16_384];
const FORMATS = ["bf16", "fp8", "int8", "f32"] as const;

function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

const draw = random(SEED);
/** A value of a list; every third time one of its ends. */
const pick = <T>(list: readonly T[]): T => {
  const end = draw() < 0.33;
  const at = end ? (draw() < 0.5 ? 0 : list.length - 1) : Math.floor(draw() * list.length);
  const found = list[at];
  if (found === undefined) throw new Error("an empty list");
  return found;
};

interface Point extends StepShape {
  readonly model: string;
  readonly plan: Plan;
}

function nameOf({ model, plan, phase, rows, queries, context }: Point): string {
  const { instance, stack, tensorParallel, expertParallel, logicalCore, formats, kernels } = plan;
  return `${model} ${instance.name} ${stack.name} TP${tensorParallel} EP${expertParallel} LNC${logicalCore} ${formats.experts} ${[...kernels].join("+")} ${phase} ${rows}×${queries}@${context}`;
}

const bases = new Map<string, Plan>();

function baseOf(model: string): Plan {
  let plan = bases.get(model);
  if (plan === undefined) {
    plan = studyPlan(studyModel(model), 1, { instance: "trn2.48xlarge" });
    bases.set(model, plan);
  }
  return plan;
}

function randomPoint(): Point {
  const model = pick(MODELS);
  const instance = findInstance(pick(MACHINES));
  const stack = pick(STACKS);
  const phase = draw() < 0.6 ? "decode" : "prefill";
  const rows = phase === "decode" ? pick(ROWS) : pick([1, 1, 1, 4, 8]);
  const queries = phase === "decode" ? pick([1, 1, 1, 2, 5]) : pick(TOKENS);
  const context = Math.max(queries, pick(CONTEXTS));
  const format = pick(FORMATS);
  const kernels = KERNEL_NAMES.filter(() => draw() < 0.5);
  const ranks = pick(RANKS);
  const plan: Partial<Plan> = {
    instance,
    stack,
    logicalCore: pick(instance.chip.logicalCores),
    tensorParallel: ranks,
    expertParallel: draw() < 0.15 ? ranks : 1,
    kernels: new Set(kernels),
    formats: { dense: format === "fp8" ? "bf16" : format, experts: format, kv: "bf16" },
  };
  return pointOf(model, plan, { phase, rows, queries, context });
}

function pointOf(model: string, change: Partial<Plan>, shape: StepShape): Point {
  const plan: Plan = {
    ...baseOf(model),
    maxContext: 131_072,
    maxRows: 256,
    maxTokens: 131_072,
    ...change,
  };
  return { ...shape, model, plan };
}

/** Of the default stack with its kernels: both ends of ranks, rows and context, of every model on every machine. */
function* corners(): Generator<Point> {
  for (const model of distinct(MODELS))
    for (const machine of MACHINES)
      for (const ranks of ends(RANKS)) {
        const instance = findInstance(machine);
        const { defaultLogicalCore: logicalCore } = instance.chip;
        const change = { instance, logicalCore, tensorParallel: ranks };
        for (const context of ends(CONTEXTS)) {
          for (const rows of ends(ROWS))
            yield pointOf(model, change, { phase: "decode", rows, queries: 1, context });
          for (const queries of ends(TOKENS))
            yield pointOf(model, change, {
              phase: "prefill",
              rows: 1,
              queries,
              context: Math.max(queries, context),
            });
        }
      }
}

/** One of those that are the same to a price: of one architecture, in the same formats. */
function distinct(models: readonly string[]): Iterable<string> {
  const byArchitecture = new Map<string, string>();
  for (const model of models) {
    const { architecture, formats } = baseOf(model);
    const key = JSON.stringify([architecture, formats]);
    if (!byArchitecture.has(key)) byArchitecture.set(key, model);
  }
  return byArchitecture.values();
}

const ends = (list: readonly number[]): readonly number[] =>
  [list[0], list.at(-1)].filter((its) => its !== undefined);

const price = (point: Point, change: Partial<Plan> = {}, shape: Partial<Point> = {}): number => {
  const { plan, phase, rows, queries, context } = { ...point, ...shape };
  return new CostModel({ ...plan, ...change }).graph({ phase, rows, queries, context }).nanos;
};

const withChip = (
  { plan }: Point,
  change: (chip: ChipSpec) => Partial<ChipSpec>,
): Partial<Plan> => ({
  instance: { ...plan.instance, chip: { ...plan.instance.chip, ...change(plan.instance.chip) } },
});

/** Rows from which on all experts are streamed instead of gathered: a step may become cheaper there. */
function crosses({ plan }: Point, tokens: number, more: number): boolean {
  for (const layer of plan.architecture.layers) {
    for (const op of layer.ops) {
      if (op.op !== "experts") continue;
      return tokens * op.topK < op.experts !== more * op.topK < op.experts;
    }
  }
  return false;
}

/** A prompt from which on the stack takes the flash kernel (flashFrom, its source's rule) may be cheaper. */
const reachesFlash = ({ plan, queries }: Point): boolean =>
  plan.kernels.has("flash-attention") &&
  queries < plan.stack.flashFrom &&
  queries * 2 >= plan.stack.flashFrom;

/** A prompt from which on experts take blocks instead of all tokens (DEFAULT_BLOCK_SIZE of model_utils.py) may be cheaper. */
const reachesBlocks = ({ plan, rows, queries }: Point): boolean =>
  plan.architecture.layers.some(({ ops }) =>
    ops.some((op) => {
      const chosen = op.op === "experts" ? rows * queries * op.topK : 0;
      return chosen > 0 && chosen < 512 && 2 * chosen >= 512;
    }),
  );

/** Where ranks do not divide KV heads, some stacks make them as many as query heads (get_qkv_padding). */
const becomesMany = ({ plan }: Point, ranks: number): boolean =>
  plan.stack.kvSharding !== "replicate" &&
  plan.architecture.layers.some(({ ops }) =>
    ops.some((op) => op.op === "attention" && op.kvHeads % ranks !== 0),
  );

/** A shard whose columns are no multiple of 16 has no blockwise kernel (can_use_blockwise_matmul_nki). */
const losesBlockwise = ({ plan, phase }: Point, ranks: number): boolean =>
  phase === "prefill" &&
  plan.kernels.has("blockwise-moe") &&
  plan.architecture.layers.some(({ ops }) =>
    ops.some((op) => op.op === "experts" && (padded(op.intermediate) / ranks) % 16 !== 0),
  );

/** One rank has no collective: the second brings the phases of two a layer and one for the embedding (nccom-test.rst). */
function firstCollectives({ architecture, constants, tensorParallel }: Plan): number {
  if (tensorParallel > 1) return 0;
  const phases = 2 * (2 * architecture.layers.length + 1);
  return phases * constant(constants, "collective.phase");
}

/** Ranks of one chip share its memory; twice as many that no longer fit it take its links (trn*-arch.rst): what sums take more. */
function firstLinks(point: Point, ranks: number): number {
  const { instance, logicalCore, tensorParallel } = point.plan;
  const each = instance.chip.cores / logicalCore;
  if (tensorParallel > each || ranks <= each) return 0;
  const sums = (tp: number): number => {
    const { phase, rows, queries, context } = point;
    const model = new CostModel({ ...point.plan, tensorParallel: tp });
    return model.graph({ phase, rows, queries, context }).parts.collectives ?? 0;
  };
  return Math.max(0, sums(ranks) - sums(tensorParallel));
}

/** What is wrong at a point, in words; a rule a line. */
function faultsAt(point: Point): readonly string[] {
  const { plan, phase, rows, queries, context } = point;
  const nanos = price(point);
  const faults: string[] = [];
  const check = (holds: boolean, what: string): void => {
    if (!holds) faults.push(`${what}: ${nameOf(point)}`);
  };
  const slack = 1 + 1e-9;
  check(Number.isFinite(nanos) && nanos > 0, "finite");
  const floor = floorNanos(plan, { phase, rows, queries, context });
  check(nanos * slack >= floor, `above the floor (${(nanos / floor).toFixed(3)})`);
  // Without one of them and, since kernels may stand in for one another, without any.
  const named = [...plan.kernels];
  for (const kernel of named.length === 0 ? [] : [pick(named), undefined]) {
    const without = kernel === undefined ? [] : named.filter((its) => its !== kernel);
    const plain = price(point, { kernels: new Set(without) });
    check(
      nanos <= plain * slack,
      `no dearer with ${kernel ?? "all"} (${(nanos / plain).toFixed(3)})`,
    );
  }
  if (phase === "decode" && !crosses(point, rows * queries, rows * queries * 2)) {
    const more = price(point, {}, { rows: rows * 2 });
    check(more * slack >= nanos, `twice the rows (${(more / nanos).toFixed(3)})`);
  }
  if (phase === "decode") {
    const longer = price(point, {}, { context: context * 2 });
    check(longer * slack >= nanos, `twice the context (${(longer / nanos).toFixed(3)})`);
  } else if (!reachesFlash(point) && !reachesBlocks(point)) {
    const longer = price(point, {}, { queries: queries * 2, context: context * 2 });
    check(longer * slack >= nanos, `twice the prompt (${(longer / nanos).toFixed(3)})`);
  }
  const wider = price(
    point,
    withChip(point, (chip) => ({
      hbmBytesPerSecond: chip.hbmBytesPerSecond * 2,
      dmaBytesPerSecondPerCore: chip.dmaBytesPerSecondPerCore * 2,
      link: { ...chip.link, bytesPerSecond: chip.link.bytesPerSecond * 2 },
    })),
  );
  check(wider <= nanos * slack, `twice the bandwidth (${(wider / nanos).toFixed(3)})`);
  const faster = price(
    point,
    withChip(point, ({ clockHz: { tensor, vector, scalar, gpsimd } }) => ({
      clockHz: { tensor: tensor * 2, vector: vector * 2, scalar: scalar * 2, gpsimd: gpsimd * 2 },
    })),
  );
  check(faster <= nanos * slack, `twice the clocks (${(faster / nanos).toFixed(3)})`);
  const cores = (plan.instance.chips * plan.instance.chip.cores) / plan.logicalCore;
  const ranks = plan.tensorParallel * 2;
  const splits = plan.architecture.heads % ranks === 0 && ranks <= cores;
  const excepted = becomesMany(point, ranks) || losesBlockwise(point, ranks);
  if (splits && !excepted && plan.expertParallel === 1) {
    const shared = price(point, { tensorParallel: ranks });
    const most = nanos * 1.25 + firstCollectives(plan) + firstLinks(point, ranks);
    check(shared <= most, `twice the ranks (${(shared / nanos).toFixed(3)})`);
  }
  return faults;
}

/** Kinds of faults with their counts, and the first few in words. */
function expectNone(faults: readonly string[]): void {
  const kinds = new Map<string, number>();
  for (const fault of faults) {
    const kind = fault.split(" (")[0] ?? fault;
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  }
  expect([...kinds], faults.slice(0, 12).join("\n")).toEqual([]);
}

const timeout = 900_000;

it("prices hold their properties at every corner", { timeout }, () => {
  const faults: string[] = [];
  for (const point of corners()) faults.push(...faultsAt(point));
  expectNone(faults);
});

it(`prices hold their properties at ${POINTS} seeded points`, { timeout }, () => {
  expectNone(Array.from({ length: POINTS }, () => faultsAt(randomPoint())).flat());
});
