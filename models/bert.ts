/**
 * Encoders of BERT's kind as they are computed: what their config says, and the names of their
 * weights. A text goes through whole, every token sees every other.
 *
 *     words + positions + type → norm → [attention + → norm → mlp + → norm] … → states
 */
import type { ConfigReader } from "./config.ts";

export interface BertShape {
  readonly hidden: number;
  readonly layers: number;
  readonly heads: number;
  readonly intermediate: number;
  readonly eps: number;
  readonly activation: "gelu" | "gelu-tanh" | "relu";
  readonly vocabSize: number;
  /** Rows of the table of positions. */
  readonly positions: number;
  /** Row of a text's first token (RoBERTa counts from behind its padding id). */
  readonly firstPosition: number;
  /** Tokens in a text. */
  readonly maxContext: number;
}

/** Classes whose weights are these, in front of them or not. */
const BERTS = ["BertModel", "BertForMaskedLM", "BertForSequenceClassification"];
const ROBERTAS = ["Roberta", "XLMRoberta"].flatMap((name) =>
  ["Model", "ForMaskedLM", "ForSequenceClassification"].map((kind) => name + kind),
);

/** Prefixes that a checkpoint may have in front of all names. */
export const BERT_PREFIXES: readonly string[] = ["", "bert.", "roberta."];

/** Is the config of an encoder that is computed? */
export function isBert(config: ConfigReader): boolean {
  const names = config.has("architectures") ? config.strings("architectures") : [];
  return names.some((name) => BERTS.includes(name) || ROBERTAS.includes(name));
}

/** Throws ModelConfigError naming the key. */
export function readBert(config: ConfigReader): BertShape {
  const hidden = config.integer("hidden_size");
  const heads = config.integer("num_attention_heads");
  if (hidden % heads !== 0)
    config.fail("num_attention_heads", `a divisor of hidden_size (${hidden})`);
  config.choice("position_embedding_type", ["absolute"], "absolute");
  const act = config.choice(
    "hidden_act",
    ["gelu", "gelu_new", "gelu_pytorch_tanh", "relu"],
    "gelu",
  );
  const positions = config.integer("max_position_embeddings");
  const names = config.strings("architectures");
  const roberta = names.some((name) => ROBERTAS.includes(name));
  const firstPosition = roberta ? config.integer("pad_token_id", 1, 0) + 1 : 0;
  return {
    hidden,
    layers: config.integer("num_hidden_layers"),
    heads,
    intermediate: config.integer("intermediate_size"),
    eps: config.number("layer_norm_eps", 1e-12),
    activation: act === "relu" ? "relu" : act === "gelu" ? "gelu" : "gelu-tanh",
    vocabSize: config.integer("vocab_size"),
    positions,
    firstPosition,
    maxContext: positions - firstPosition,
  };
}
