/**
 * The mixture-of-experts half of a layer, shared by the MoE families: a router,
 * the chosen experts, and (where a model has one) an expert that every token
 * visits. Routed and shared results are partial sums; they meet in one add.
 */
import { type Block, gatedMlp } from "./decoder.ts";
import type { Activation, RouterOp, WeightFormat } from "./ops.ts";

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
  readonly expertBias?: boolean;
  /** Format of the experts' storage when it is not the model's. */
  readonly format?: WeightFormat;
  /** Width of the shared expert, and its module; absent: none. */
  readonly shared?: { readonly intermediate: number; readonly module: string };
}

/** router → experts (+ shared expert), from `at.in` to `at.out`. */
export function moeBlock(hidden: number, choices: MoeChoices): Block {
  const { experts, topK, intermediate, activation } = choices;
  return (at) => {
    const router = `${at.path}.${choices.router ?? "mlp.gate"}`;
    const path = `${at.path}.${choices.module ?? "mlp.experts"}`;
    const format = choices.format === undefined ? {} : { format: choices.format };
    const stack = (name: string, shape: readonly number[]) => ({
      name,
      shape,
      shard: "expert" as const,
      ...format,
    });
    const names = choices.names ?? (["gate_proj", "up_proj", "down_proj"] as const);
    const matrices =
      names === "fused"
        ? {
            gateUp: [stack(`${path}.gate_up_proj`, [experts, 2 * intermediate, hidden])],
            down: stack(`${path}.down_proj`, [experts, hidden, intermediate]),
          }
        : {
            gateUp: [names[0], names[1]].map((name) =>
              stack(`${path}.{e}.${name}.weight`, [experts, intermediate, hidden]),
            ),
            down: stack(`${path}.{e}.${names[2]}.weight`, [experts, hidden, intermediate]),
          };
    const replicated = (name: string, shape: readonly number[]) => ({
      name,
      shape,
      shard: "replicated" as const,
    });
    const routed = choices.shared === undefined ? at.out : "routed";
    const shared = choices.shared;
    return [
      {
        op: "router",
        path: router,
        in: at.in,
        out: "routing",
        weight: replicated(`${router}.weight`, [experts, hidden]),
        ...(choices.routerBias && { bias: replicated(`${router}.bias`, [experts]) }),
        ...(choices.choiceBias && {
          choiceBias: replicated(`${router}.e_score_correction_bias`, [experts]),
        }),
        experts,
        topK,
        scoring: choices.scoring,
        normalise: choices.normalise,
        scale: choices.scale ?? 1,
        ...(choices.groups !== undefined && { groups: choices.groups }),
        ...(choices.groupsChosen !== undefined && { groupsChosen: choices.groupsChosen }),
      },
      {
        op: "experts",
        path,
        in: at.in,
        routing: "routing",
        out: routed,
        experts,
        topK,
        hidden,
        intermediate,
        ...matrices,
        ...(choices.expertBias && {
          gateUpBias: stack(`${path}.gate_up_proj_bias`, [experts, 2 * intermediate]),
          downBias: stack(`${path}.down_proj_bias`, [experts, hidden]),
        }),
        activation,
        partial: true,
      },
      ...(shared === undefined
        ? []
        : [
            ...gatedMlp(hidden, {
              intermediate: shared.intermediate,
              activation,
              path: shared.module,
            })({ ...at, out: "shared" }),
            { op: "add" as const, path, a: "routed", b: "shared", out: at.out },
          ]),
    ];
  };
}
