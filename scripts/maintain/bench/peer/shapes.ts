/** Shapes that are compared with llama.cpp, and the tensors of each in both its namings. */

import { SHAPE_135M, SHAPE_494M, SHAPE_MOE, type ShapeConfig } from "../shapes.ts";

export interface Shape {
  readonly config: ShapeConfig;
  /** GGUF's `general.architecture`. */
  readonly arch: "qwen2" | "llama" | "qwen3moe";
}

export const SHAPES: Readonly<Record<string, Shape>> = {
  "494m": { arch: "qwen2", config: SHAPE_494M },
  "135m": { arch: "llama", config: SHAPE_135M },
  moe: { arch: "qwen3moe", config: SHAPE_MOE },
};

/** A tensor of llama.cpp's, and those of the folder that it holds one after the other. */
export interface Pair {
  readonly gguf: string;
  readonly names: readonly string[];
  /** Of one of `names`, row-major. */
  readonly shape: readonly number[];
}

export function tensorPairs({ config, arch }: Shape): readonly Pair[] {
  const { hidden_size: hidden, head_dim: head, vocab_size: vocab } = config;
  const [q, kv] = [config.num_attention_heads * head, config.num_key_value_heads * head];
  const one = (gguf: string, name: string, ...shape: number[]): Pair => ({
    gguf,
    names: [name],
    shape,
  });
  const layer = (index: number): readonly Pair[] => {
    const [mine, its] = [`model.layers.${index}`, `blk.${index}`];
    const width = { q, k: kv, v: kv } as const;
    const attention = (["q", "k", "v"] as const).flatMap((part) => [
      one(
        `${its}.attn_${part}.weight`,
        `${mine}.self_attn.${part}_proj.weight`,
        width[part],
        hidden,
      ),
      ...(arch === "qwen2"
        ? [one(`${its}.attn_${part}.bias`, `${mine}.self_attn.${part}_proj.bias`, width[part])]
        : []),
      ...(arch === "qwen3moe" && part !== "v"
        ? [one(`${its}.attn_${part}_norm.weight`, `${mine}.self_attn.${part}_norm.weight`, head)]
        : []),
    ]);
    return [
      one(`${its}.attn_norm.weight`, `${mine}.input_layernorm.weight`, hidden),
      ...attention,
      one(`${its}.attn_output.weight`, `${mine}.self_attn.o_proj.weight`, hidden, q),
      one(`${its}.ffn_norm.weight`, `${mine}.post_attention_layernorm.weight`, hidden),
      ...(arch === "qwen3moe" ? experts(config, mine, its) : dense(config, mine, its)),
    ];
  };
  return [
    one("token_embd.weight", "model.embed_tokens.weight", vocab, hidden),
    ...Array.from({ length: config.num_hidden_layers }, (_, index) => layer(index)).flat(),
    one("output_norm.weight", "model.norm.weight", hidden),
  ];
}

const PARTS = ["gate", "up", "down"] as const;

/** [out, in] of a feed-forward matrix. */
const sizeOf = (part: (typeof PARTS)[number], inner: number, hidden: number): readonly number[] =>
  part === "down" ? [hidden, inner] : [inner, hidden];

function dense(config: Shape["config"], mine: string, its: string): readonly Pair[] {
  return PARTS.map((part) => ({
    gguf: `${its}.ffn_${part}.weight`,
    names: [`${mine}.mlp.${part}_proj.weight`],
    shape: sizeOf(part, config.intermediate_size, config.hidden_size),
  }));
}

function experts(config: Shape["config"], mine: string, its: string): readonly Pair[] {
  const { hidden_size: hidden, num_experts = 0, moe_intermediate_size: inner = 0 } = config;
  return [
    {
      gguf: `${its}.ffn_gate_inp.weight`,
      names: [`${mine}.mlp.gate.weight`],
      shape: [num_experts, hidden],
    },
    ...PARTS.map((part) => ({
      gguf: `${its}.ffn_${part}_exps.weight`,
      names: Array.from(
        { length: num_experts },
        (_, expert) => `${mine}.mlp.experts.${expert}.${part}_proj.weight`,
      ),
      shape: sizeOf(part, inner, hidden),
    })),
  ];
}
