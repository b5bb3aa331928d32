/**
 * The decoder that all families share: pre-norm blocks of attention and MLP
 * around a residual stream. A family passes what differs: biases, norms of Q
 * and K, windows, sinks, or whole blocks of its own (`Block`).
 *
 *     hidden → norm → [attention] → + hidden → norm → [mlp] → + → hidden
 *
 * A block reads the value `at.in` and writes `at.out`, which may be a partial
 * sum over ranks: the add after it is where the ranks meet. Value names that a
 * block makes for itself start with the block's own word, so blocks never clash.
 */
import type { Architecture, KvGroup } from "./architecture.ts";
import type { ConfigReader } from "./config.ts";
import { type ContextLength, readContext } from "./context.ts";
import type { Activation, LinearOp, Op, ShardKind, Value, Weight } from "./ops.ts";

/** The numbers every decoder has. */
export interface DecoderSize extends ContextLength {
  readonly hidden: number;
  readonly layers: number;
  readonly vocabSize: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  /** Epsilon of the RMS norms. */
  readonly eps: number;
  readonly tiedHead: boolean;
}

/** Where a block stands in the program. */
export interface Place {
  readonly layer: number;
  /** Module path of the layer, e.g. `model.layers.3`. */
  readonly path: string;
  readonly in: Value;
  readonly out: Value;
}

/** Ops of one half of a layer, from `at.in` to `at.out`. */
export type Block = (at: Place) => readonly Op[];

/** Which KV group each layer's cache belongs to. */
export interface CacheLayout {
  readonly groups: readonly KvGroup[];
  /** Index into `groups`, by layer. */
  readonly groupOf: readonly number[];
}

/** Reads the keys that all decoders share. */
export function readSize(config: ConfigReader): DecoderSize {
  const hidden = config.integer("hidden_size");
  const heads = config.integer("num_attention_heads");
  const kvHeads = config.integer("num_key_value_heads", heads);
  if (heads % kvHeads !== 0)
    config.fail("num_key_value_heads", `a divisor of num_attention_heads (${heads})`);
  if (!config.has("head_dim") && hidden % heads !== 0)
    config.fail("num_attention_heads", `a divisor of hidden_size (${hidden})`);
  const headDim = config.integer("head_dim", Math.floor(hidden / heads));
  if (headDim % 2 !== 0) config.fail("head_dim", "even");
  return {
    hidden,
    layers: config.integer("num_hidden_layers"),
    vocabSize: config.integer("vocab_size"),
    ...readContext(config),
    heads,
    kvHeads,
    headDim,
    eps: config.number("rms_norm_eps", 1e-6),
    tiedHead: config.boolean("tie_word_embeddings", false),
  };
}

/** `hidden_act` of a gated MLP. */
export function readActivation(config: ConfigReader): Activation {
  const name = config.choice("hidden_act", ["silu", "swish", "gelu", "gelu_pytorch_tanh"], "silu");
  if (name === "gelu_pytorch_tanh") return { kind: "gelu-tanh" };
  return { kind: name === "gelu" ? "gelu" : "silu" };
}

/**
 * Window of each layer as `layer_types` says; without it, by `isWindowed`.
 * `window` is undefined for a model without sliding layers.
 */
export function readWindows(
  config: ConfigReader,
  layers: number,
  window: number | undefined,
  isWindowed: (layer: number) => boolean,
): readonly (number | undefined)[] {
  const types = config.has("layer_types") ? config.strings("layer_types") : undefined;
  if (types && types.length < layers) config.fail("layer_types", `a list of ${layers}`);
  return Array.from({ length: layers }, (_, layer) => {
    const type = types?.[layer];
    if (type !== undefined && type !== "full_attention" && type !== "sliding_attention")
      config.fail("layer_types", "full_attention or sliding_attention throughout");
    const windowed = type === undefined ? isWindowed(layer) : type === "sliding_attention";
    return windowed ? window : undefined;
  });
}

/** Groups layers by window: one pool of blocks, one mask per group. */
export function layoutCache(
  size: DecoderSize,
  windows: readonly (number | undefined)[] = new Array<undefined>(size.layers).fill(undefined),
): CacheLayout {
  const kinds = [...new Set(windows)];
  const groups = kinds.map(
    (window): KvGroup => ({
      kind: window === undefined ? "full" : "window",
      layers: windows.flatMap((its, layer) => (its === window ? [layer] : [])),
      kvHeads: size.kvHeads,
      keyDim: size.headDim,
      valueDim: size.headDim,
      ...(window !== undefined && { window }),
    }),
  );
  return { groups, groupOf: windows.map((window) => kinds.indexOf(window)) };
}

/** out = in · weightᵀ (+ bias), with the weights of module `path`. */
export function linear(
  path: string,
  flow: { readonly in: Value; readonly out: Value },
  weight: {
    readonly out: number;
    readonly in: number;
    readonly shard: ShardKind;
    readonly units?: number;
    readonly bias?: boolean;
    /** The module that holds it below or above others, its rows there, and the first of its own. */
    readonly within?: { readonly path: string; readonly out: number; readonly row: number };
  },
): LinearOp {
  const { shard, within } = weight;
  const units = weight.units === undefined ? {} : { units: weight.units };
  // The bias of a row-sharded product is added once, after the sum, so each rank holds all of it.
  const bias: Weight =
    shard === "row"
      ? { name: `${path}.bias`, shape: [weight.out], shard: "replicated" }
      : { name: `${path}.bias`, shape: [weight.out], shard, ...units };
  return {
    op: "linear",
    path,
    in: flow.in,
    out: flow.out,
    weight: {
      name: `${path}.weight`,
      shape: [weight.out, weight.in],
      shard,
      ...units,
      ...(within && {
        within: {
          name: `${within.path}.weight`,
          shape: [within.out, weight.in],
          row: within.row,
        },
      }),
    },
    ...(weight.bias && { bias }),
    ...(shard === "row" && { partial: true as const }),
  };
}

/** RMS norm with the weight of module `path`; `heads` > 1 norms each head apart. */
export function norm(
  path: string,
  flow: { readonly in: Value; readonly out: Value },
  shape: {
    readonly width: number;
    readonly eps: number;
    readonly heads?: number;
    readonly lessOne?: boolean;
    /** Without weights. */
    readonly unit?: boolean;
  },
): Op {
  return {
    op: "rms-norm",
    path,
    in: flow.in,
    out: flow.out,
    width: shape.width,
    ...(!shape.unit && {
      weight: { name: `${path}.weight`, shape: [shape.width], shard: "replicated" as const },
    }),
    eps: shape.eps,
    ...(shape.lessOne && { lessOne: true as const }),
    ...(shape.heads !== undefined && { heads: shape.heads }),
  };
}

/** down(activation(gate) · up): a partial sum. `path` is the module within the layer. */
export function gatedMlp(
  hidden: number,
  mlp: {
    readonly intermediate: number;
    readonly activation: Activation;
    readonly bias?: boolean;
    readonly path?: string;
    /** The module that holds gate above up; absent: gate_proj and up_proj. */
    readonly fused?: string;
    /** Absent: down_proj. */
    readonly down?: string;
    /** Module within the layer of one output, which through a sigmoid scales the result. */
    readonly outerGate?: string;
  },
): Block {
  const { intermediate } = mlp;
  return (at) => {
    const path = `${at.path}.${mlp.path ?? "mlp"}`;
    const bias = mlp.bias ?? false;
    const wide = { out: intermediate, in: hidden, shard: "column" as const, bias };
    const from = (row: number) =>
      mlp.fused === undefined
        ? wide
        : { ...wide, within: { path: `${path}.${mlp.fused}`, out: 2 * intermediate, row } };
    return [
      linear(`${path}.gate_proj`, { in: at.in, out: "gate" }, from(0)),
      linear(`${path}.up_proj`, { in: at.in, out: "up" }, from(intermediate)),
      {
        op: "gated-activation",
        path,
        gate: "gate",
        up: "up",
        out: "activated",
        activation: mlp.activation,
      },
      ...(mlp.outerGate === undefined ? [] : gatedOnce(hidden, `${at.path}.${mlp.outerGate}`, at)),
      linear(
        `${path}.${mlp.down ?? "down_proj"}`,
        { in: mlp.outerGate === undefined ? "activated" : "scaled", out: at.out },
        { out: hidden, in: intermediate, shard: "row", bias },
      ),
    ];
  };
}

/** `activated` times the sigmoid of the module's one output: before the last product it is the same as after. */
function gatedOnce(hidden: number, path: string, at: Place): readonly Op[] {
  return [
    linear(path, { in: at.in, out: "visit" }, { out: 1, in: hidden, shard: "replicated" }),
    {
      op: "gated-activation",
      path,
      gate: "visit",
      up: "activated",
      out: "scaled",
      activation: { kind: "sigmoid" },
    },
  ];
}

/** Names of a layer's norms, by where they stand; each is there or not. */
export interface LayerNorms {
  readonly beforeAttention?: string;
  readonly afterAttention?: string;
  readonly beforeMlp?: string;
  readonly afterMlp?: string;
}

const PRE_NORMS: LayerNorms = {
  beforeAttention: "input_layernorm",
  beforeMlp: "post_attention_layernorm",
};

/** What a family hands over to have its program assembled. */
export interface DecoderParts {
  readonly family: string;
  readonly attention: Block;
  readonly mlp: Block;
  readonly cache: CacheLayout;
  /** Absent: one before each half. */
  readonly norms?: LayerNorms;
  /** Weights of the norms are stored less 1. */
  readonly lessOne?: boolean;
  /** Factors, 1 where absent: on the embedding, on what a half adds, on the logits. */
  readonly factors?: {
    readonly embedding?: number;
    readonly residual?: number;
    readonly logits?: number;
  };
}

/** Assembles embedding, layers, final norm and head. */
export function decoder(size: DecoderSize, parts: DecoderParts): Architecture {
  const { hidden, eps, vocabSize } = size;
  const { embedding, logits } = parts.factors ?? {};
  const table: Weight = {
    name: "model.embed_tokens.weight",
    shape: [vocabSize, hidden],
    shard: "vocab",
  };
  const head: Weight = size.tiedHead ? table : { ...table, name: "lm_head.weight" };
  const last = { width: hidden, eps, lessOne: parts.lessOne ?? false };
  return {
    family: parts.family,
    hidden,
    vocabSize,
    maxContext: size.maxContext,
    ...(size.usualContext !== undefined && { usualContext: size.usualContext }),
    heads: size.heads,
    kvHeads: size.kvHeads,
    headDim: size.headDim,
    tiedHead: size.tiedHead,
    prologue: [
      {
        op: "embed",
        path: "model.embed_tokens",
        table,
        out: "hidden",
        ...(embedding !== undefined && { scale: embedding }),
      },
    ],
    layers: Array.from({ length: size.layers }, (_, index) => ({
      index,
      ops: layerOps(size, parts, index),
    })),
    epilogue: [
      { op: "take-wanted", path: "model", in: "hidden", out: "wanted" },
      norm("model.norm", { in: "wanted", out: "final" }, last),
      {
        op: "linear",
        path: "lm_head",
        in: "final",
        weight: head,
        out: "logits",
        ...(logits !== undefined && { scale: logits }),
      },
    ],
    kvGroups: parts.cache.groups,
  };
}

/** hidden → (norm) → half → (norm) → + hidden, for attention and for the MLP. */
function layerOps(size: DecoderSize, parts: DecoderParts, layer: number): readonly Op[] {
  const { hidden: width, eps } = size;
  const { norms = PRE_NORMS, lessOne = false } = parts;
  const path = `model.layers.${layer}`;
  const scale = parts.factors?.residual;
  const half = (
    name: "attention" | "mlp",
    flow: { readonly in: Value; readonly out: Value },
    around: readonly [before: string | undefined, after: string | undefined],
  ): readonly Op[] => {
    const [before, after] = around;
    const normed = (module: string, its: { readonly in: Value; readonly out: Value }): Op =>
      norm(`${path}.${module}`, its, { width, eps, lessOne });
    const from = before === undefined ? flow.in : `${name}-in`;
    const to = `${name}-out`;
    const added = after === undefined ? to : `${name}-normed`;
    return [
      ...(before === undefined ? [] : [normed(before, { in: flow.in, out: from })]),
      ...parts[name]({ layer, path, in: from, out: to }),
      ...(after === undefined ? [] : [normed(after, { in: to, out: added })]),
      {
        op: "add",
        path,
        a: flow.in,
        b: added,
        out: flow.out,
        ...(scale !== undefined && { scale }),
      },
    ];
  };
  return [
    ...half("attention", { in: "hidden", out: "middle" }, [
      norms.beforeAttention,
      norms.afterAttention,
    ]),
    ...half("mlp", { in: "middle", out: "hidden" }, [norms.beforeMlp, norms.afterMlp]),
  ];
}
