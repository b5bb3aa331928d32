/**
 * The mixture-of-experts half of a layer, shared by the MoE families: a router,
 * the chosen experts, and (where a model has one) an expert that every token
 * visits. Routed and shared results are partial sums; they meet in one add.
 */
import { type Block, gatedMlp, type Place } from "./decoder.ts";
import type { Activation, ExpertsOp, RouterOp, Weight, WeightFormat } from "./ops.ts";

/** What differs between the MoE blocks of the families. */
export interface MoeChoices {
  readonly experts: number;
  readonly topK: number;
  /** Width of one expert. */
  readonly intermediate: number;
  readonly activation: Activation;
  readonly scoring: RouterOp["scoring"];
  /** Chosen weights are scaled to sum to 1. */
  readonly normalise: boolean;
  /** Factor on the routed sum; absent: 1. */
  readonly scale?: number;
  readonly groups?: number;
  readonly groupsChosen?: number;
  /** Has the router a correction added for choosing only? */
  readonly choiceBias?: boolean;
  /** Module of the router within the layer; absent: `mlp.gate`. */
  readonly router?: string;
  readonly routerBias?: boolean;
  /** Module of the experts within the layer; absent: `mlp.experts`. */
  readonly module?: string;
  /** Names of an expert's three matrices; absent: gate_proj, up_proj, down_proj. `fused`: one stack of both. */
  readonly names?: readonly [string, string, string] | "fused";
  /** Fused stacks are stored as `[experts, in, out]`. */
  readonly transposed?: boolean;
  /** A fused stack has all of an expert's gate above its up; absent: row by row in turn. */
  readonly halves?: boolean;
  /** As ExpertsOp says. */
  readonly scalesInput?: boolean;
  readonly expertBias?: boolean;
  /** Format of the experts' storage when it is not the model's. */
  readonly format?: WeightFormat;
  /** Width of the shared expert, and its module; absent: none. */
  readonly shared?: {
    readonly intermediate: number;
    readonly module: string;
    /** Module within the layer whose one output, through a sigmoid, scales it (Qwen2-MoE). */
    readonly gate?: string;
  };
}

/** router → experts (+ shared expert), from `at.in` to `at.out`. */
export function moeBlock(hidden: number, choices: MoeChoices): Block {
  const { shared, activation } = choices;
  return (at) => {
    if (shared === undefined) return [router(hidden, choices, at), experts(hidden, choices, at)];
    const { intermediate, module, gate } = shared;
    const own = gatedMlp(hidden, {
      intermediate,
      activation,
      path: module,
      ...(gate !== undefined && { outerGate: gate }),
    });
    return [
      router(hidden, choices, at),
      experts(hidden, choices, { ...at, out: "routed" }),
      ...own({ ...at, out: "shared" }),
      { op: "add", path: modulePath(choices, at), a: "routed", b: "shared", out: at.out },
    ];
  };
}

function router(hidden: number, choices: MoeChoices, at: Place): RouterOp {
  const { experts, topK, groups, groupsChosen } = choices;
  const path = `${at.path}.${choices.router ?? "mlp.gate"}`;
  const replicated = (name: string, shape: readonly number[]): Weight => ({
    name: `${path}.${name}`,
    shape,
    shard: "replicated",
  });
  return {
    op: "router",
    path,
    in: at.in,
    out: "routing",
    weight: replicated("weight", [experts, hidden]),
    ...(choices.routerBias && { bias: replicated("bias", [experts]) }),
    ...(choices.choiceBias && { choiceBias: replicated("e_score_correction_bias", [experts]) }),
    experts,
    topK,
    scoring: choices.scoring,
    normalise: choices.normalise,
    scale: choices.scale ?? 1,
    ...(groups !== undefined && { groups }),
    ...(groupsChosen !== undefined && { groupsChosen }),
  };
}

function experts(hidden: number, choices: MoeChoices, at: Place): ExpertsOp {
  const { experts, topK, intermediate, activation, format } = choices;
  const path = modulePath(choices, at);
  const stack = (name: string, shape: readonly number[]): Weight => ({
    name: `${path}.${name}`,
    shape: [experts, ...shape],
    shard: "expert",
    ...(format !== undefined && { format }),
  });
  const fused = (name: string, shape: readonly number[]): Weight => {
    const weight = stack(name, shape);
    const within = { name: weight.name, shape: weight.shape, row: 0, transposed: true as const };
    return choices.transposed ? { ...weight, within } : weight;
  };
  const names = choices.names ?? (["gate_proj", "up_proj", "down_proj"] as const);
  const matrices =
    names === "fused"
      ? {
          gateUp: [fused("gate_up_proj", [2 * intermediate, hidden])],
          down: fused("down_proj", [hidden, intermediate]),
        }
      : {
          gateUp: [names[0], names[1]].map((name) =>
            stack(`{e}.${name}.weight`, [intermediate, hidden]),
          ),
          down: stack(`{e}.${names[2]}.weight`, [hidden, intermediate]),
        };
  return {
    op: "experts",
    path,
    in: at.in,
    routing: "routing",
    out: at.out,
    experts,
    topK,
    hidden,
    intermediate,
    ...matrices,
    ...(choices.expertBias && {
      gateUpBias: stack("gate_up_proj_bias", [2 * intermediate]),
      downBias: stack("down_proj_bias", [hidden]),
    }),
    activation,
    ...(choices.halves && { fused: "halves" as const }),
    ...(choices.scalesInput && { scalesInput: true as const }),
    partial: true,
  };
}

function modulePath({ module = "mlp.experts" }: MoeChoices, at: Place): string {
  return `${at.path}.${module}`;
}
