/**
 * Encoders of BERT's kind: embeddings, layers of attention and a plain MLP, a
 * pooler over one token. Priced, not computed; attention is taken as causal,
 * which halves its scores (a hundredth of the work at 128 tokens).
 */

import type { Architecture } from "./architecture.ts";
import { attentionBlock } from "./attention.ts";
import { isBert } from "./bert.ts";
import { type DecoderSize, decoder, layoutCache, linear } from "./decoder.ts";
import { plainMlp } from "./dense.ts";
import type { Family } from "./family.ts";

export const encoder: Family = {
  name: "encoder",
  pricedOnly: (config) =>
    isBert(config) ? undefined : "only BERT's and RoBERTa's own classes are computed",
  architectures: [
    "BertModel",
    "RobertaModel",
    "XLMRobertaModel",
    "BertForMaskedLM",
    "RobertaForMaskedLM",
    "XLMRobertaForMaskedLM",
    "BertForSequenceClassification",
    "RobertaForSequenceClassification",
    "XLMRobertaForSequenceClassification",
    "DistilBertForMaskedLM",
    "ElectraForPreTraining",
    "AlbertForMaskedLM",
  ],
  describe(config): Architecture {
    const hidden = config.integer("hidden_size");
    const heads = config.integer("num_attention_heads");
    const size: DecoderSize = {
      hidden,
      layers: config.integer("num_hidden_layers"),
      vocabSize: config.integer("vocab_size"),
      maxContext: config.integer("max_position_embeddings"),
      heads,
      kvHeads: heads,
      headDim: hidden / heads,
      eps: config.number("layer_norm_eps", 1e-12),
      tiedHead: true,
    };
    const cache = layoutCache(size);
    const whole = decoder(size, {
      family: "encoder",
      cache,
      attention: attentionBlock(size, {
        cache,
        qkvBias: true,
        outBias: true,
      }),
      mlp: plainMlp(hidden, { intermediate: config.integer("intermediate_size"), bias: true }),
    });
    const [take] = whole.epilogue;
    if (take === undefined) return whole;
    const pooler = linear(
      "pooler.dense",
      { in: take.out, out: "pooled" },
      { out: hidden, in: hidden, shard: "column", bias: true },
    );
    return { ...whole, epilogue: [take, pooler] };
  },
};
