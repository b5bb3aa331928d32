/** The rows of models that embed texts. */
import { rowsOf } from "./row.ts";

const pooling = rowsOf("Pooling");

export const POOLING_ROWS = {
  runner: pooling.choice(
    ["auto", "generate", "pooling"],
    "auto",
    "What the model does: generate text, or pool it; auto: pool where its class or modules.json says so.",
  ),
  convert: pooling.choice(
    ["auto", "none", "embed", "classify"],
    "auto",
    "What a decoder is made under --runner pooling: its last token's state embeds the text, or passes a head of labels (classify); auto: by its class.",
  ),
  "pooler-config": pooling.json(
    undefined,
    'How states become numbers: {"pooling_type": "LAST" | "CLS" | "MEAN", "use_activation": …, "logit_mean": …, "logit_sigma": …}.',
  ),
};
