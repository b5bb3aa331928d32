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
import type { Rotary } from "./rope.ts";

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
  if (name === "gelu_pytorch_tanh")
    config.fail("hidden_act", "silu or gelu (the tanh form is not built)");
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
  },
): LinearOp {
  const { shard } = weight;
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
    weight: { name: `${path}.weight`, shape: [weight.out, weight.in], shard, ...units },
    ...(weight.bias && { bias }),
    ...(shard === "row" && { partial: true as const }),
  };
}

/** RMS norm with the weight of module `path`; `heads` > 1 norms each head apart. */
export function norm(
  path: string,
  flow: { readonly in: Value; readonly out: Value },
  shape: { readonly width: number; readonly eps: number; readonly heads?: number },
): Op {
  return {
    op: "rms-norm",
    path,
    in: flow.in,
    out: flow.out,
    weight: { name: `${path}.weight`, shape: [shape.width], shard: "replicated" },
    eps: shape.eps,
    ...(shape.heads !== undefined && { heads: shape.heads }),
  };
}

/** What differs between the grouped-query attentions of the families. */
export interface AttentionChoices {
  /** Absent: positions are learned, and added to the embeddings. */
  readonly rotary?: Rotary;
  readonly cache: CacheLayout;
  /** Bias on q, k and v. */
  readonly qkvBias?: boolean;
  /** Bias on the output projection. */
  readonly outBias?: boolean;
  /** RMS norm of each head of Q and K before the rotation (Qwen3). */
  readonly qkNorm?: boolean;
  /** One learned logit per head that joins the softmax (gpt-oss). */
  readonly sinks?: boolean;
  /** Factor on the scores; absent: 1/√headDim. */
  readonly scale?: number;
}

/** q, k, v → (norm) → rotation → attention → output projection, which is a partial sum. */
export function attentionBlock(size: DecoderSize, choices: AttentionChoices): Block {
  const { hidden, heads, kvHeads, headDim } = size;
  const { cache, sinks, scale = 1 / Math.sqrt(headDim), outBias = false } = choices;
  return (at) => {
    const path = `${at.path}.self_attn`;
    const group = cache.groupOf[at.layer] ?? 0;
    const window = cache.groups[group]?.window;
    return [
      ...projected("q", heads, { size, choices, path, in: at.in }),
      ...projected("k", kvHeads, { size, choices, path, in: at.in }),
      ...projected("v", kvHeads, { size, choices, path, in: at.in }),
      {
        op: "attention",
        path,
        q: ready("q", choices),
        k: ready("k", choices),
        v: "v",
        out: "attended",
        heads,
        kvHeads,
        headDim,
        scale,
        kvGroup: group,
        ...(window !== undefined && { window }),
        ...(sinks && {
          sinks: { name: `${path}.sinks`, shape: [heads], shard: "column", units: heads },
        }),
      },
      linear(
        `${path}.o_proj`,
        { in: "attended", out: at.out },
        { out: hidden, in: heads * headDim, shard: "row", units: heads, bias: outBias },
      ),
    ];
  };
}

/** `in` as the heads of q, k or v; q and k are (normed and) rotated. */
function projected(
  name: "q" | "k" | "v",
  heads: number,
  of: {
    readonly size: DecoderSize;
    readonly choices: AttentionChoices;
    readonly path: string;
    readonly in: Value;
  },
): readonly Op[] {
  const { hidden, headDim, eps } = of.size;
  const { qkvBias = false, qkNorm = false, rotary } = of.choices;
  const shard = name === "q" ? "column" : "kv-head";
  const projection = linear(
    `${of.path}.${name}_proj`,
    { in: of.in, out: name },
    { out: heads * headDim, in: hidden, shard, units: heads, bias: qkvBias },
  );
  if (name === "v") return [projection];
  const shape = { width: headDim, eps, heads };
  const flow = { in: name, out: `${name}-normed` };
  const normed = qkNorm ? [norm(`${of.path}.${name}_norm`, flow, shape)] : [];
  if (rotary === undefined) return [projection, ...normed];
  const rotation: Op = {
    op: "rope",
    path: `${of.path}.rotary_emb`,
    in: qkNorm ? flow.out : name,
    out: `${name}-rotated`,
    heads,
    headDim,
    ...rotary,
  };
  return [projection, ...normed, rotation];
}

/** What attention takes of q or k. */
function ready(name: "q" | "k", { rotary, qkNorm = false }: AttentionChoices): Value {
  if (rotary !== undefined) return `${name}-rotated`;
  return qkNorm ? `${name}-normed` : name;
}

/** down(activation(gate) · up): a partial sum. `path` is the module within the layer. */
export function gatedMlp(
  hidden: number,
  mlp: {
    readonly intermediate: number;
    readonly activation: Activation;
    readonly bias?: boolean;
    readonly path?: string;
  },
): Block {
  return (at) => {
    const path = `${at.path}.${mlp.path ?? "mlp"}`;
    const bias = mlp.bias ?? false;
    const wide = { out: mlp.intermediate, in: hidden, shard: "column" as const, bias };
    return [
      linear(`${path}.gate_proj`, { in: at.in, out: "gate" }, wide),
      linear(`${path}.up_proj`, { in: at.in, out: "up" }, wide),
      {
        op: "gated-activation",
        path,
        gate: "gate",
        up: "up",
        out: "activated",
        activation: mlp.activation,
      },
      linear(
        `${path}.down_proj`,
        { in: "activated", out: at.out },
        { out: hidden, in: mlp.intermediate, shard: "row", bias },
      ),
    ];
  };
}

/** What a family hands over to have its program assembled. */
export interface DecoderParts {
  readonly family: string;
  readonly attention: Block;
  readonly mlp: Block;
  readonly cache: CacheLayout;
}

/** Assembles embedding, layers, final norm and head. */
export function decoder(size: DecoderSize, parts: DecoderParts): Architecture {
  const { hidden, eps, vocabSize } = size;
  const table: Weight = {
    name: "model.embed_tokens.weight",
    shape: [vocabSize, hidden],
    shard: "vocab",
  };
  const head: Weight = size.tiedHead ? table : { ...table, name: "lm_head.weight" };
  const layers = Array.from({ length: size.layers }, (_, index) => {
    const path = `model.layers.${index}`;
    const half = { layer: index, path };
    const ops: Op[] = [
      norm(
        `${path}.input_layernorm`,
        { in: "hidden", out: "attention-in" },
        { width: hidden, eps },
      ),
      ...parts.attention({ ...half, in: "attention-in", out: "attention-out" }),
      { op: "add", path, a: "hidden", b: "attention-out", out: "middle" },
      norm(
        `${path}.post_attention_layernorm`,
        { in: "middle", out: "mlp-in" },
        { width: hidden, eps },
      ),
      ...parts.mlp({ ...half, in: "mlp-in", out: "mlp-out" }),
      { op: "add", path, a: "middle", b: "mlp-out", out: "hidden" },
    ];
    return { index, ops };
  });
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
    prologue: [{ op: "embed", path: "model.embed_tokens", table, out: "hidden" }],
    layers,
    epilogue: [
      { op: "take-wanted", path: "model", in: "hidden", out: "wanted" },
      norm("model.norm", { in: "wanted", out: "final" }, { width: hidden, eps }),
      { op: "linear", path: "lm_head", in: "final", weight: head, out: "logits" },
    ],
    kvGroups: parts.cache.groups,
  };
}
