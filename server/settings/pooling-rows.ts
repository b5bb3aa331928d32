/** The rows of models that embed texts. */
import { rowsOf } from "./row.ts";

const pooling = rowsOf("Pooling");

export const POOLING_ROWS = {
  runner: pooling.choice(
    ["auto", "generate", "pooling"],
    "auto",
    "What the model does: generate text, or embed it (pooling); auto: embed where it can do nothing else.",
  ),
  convert: pooling.choice(
    ["auto", "none", "embed"],
    "auto",
    "What a decoder is made under --runner pooling: its last token's state embeds the text.",
  ),
  "pooler-config": pooling.json(
    undefined,
    'How a text becomes one vector: {"use_activation": false} leaves vectors as long as they are.',
  ),
};
