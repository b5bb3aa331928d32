/** The families, one line each, and the choice among them by config.json. */
import type { Architecture } from "./architecture.ts";
import { ConfigReader, ModelConfigError } from "./config.ts";
import { deepseek } from "./deepseek.ts";
import { dense } from "./dense.ts";
import { encoder } from "./encoder.ts";
import { exaone } from "./exaone.ts";
import { exaone4 } from "./exaone4.ts";
import type { Family } from "./family.ts";
import { gemma3 } from "./gemma3.ts";
import { gemma4 } from "./gemma4.ts";
import { gptOss } from "./gpt-oss.ts";
import { granite } from "./granite.ts";
import { granite4 } from "./granite4.ts";
import { causalClass } from "./headless.ts";
import { hybrid } from "./hybrid.ts";
import { llama } from "./llama.ts";
import { llama4 } from "./llama4.ts";
import { minimax } from "./minimax.ts";
import { mistral } from "./mistral.ts";
import { mixtral } from "./mixtral.ts";
import { olmo } from "./olmo.ts";
import { phi3 } from "./phi3.ts";
import { qwen2, qwen3 } from "./qwen.ts";
import { qwenMoe } from "./qwen-moe.ts";
import { routed } from "./routed.ts";
import { smollm3 } from "./smollm3.ts";

export const FAMILIES: readonly Family[] = Object.freeze([
  llama,
  mistral,
  qwen2,
  qwen3,
  gptOss,
  mixtral,
  qwenMoe,
  deepseek,
  llama4,
  minimax,
  routed,
  exaone,
  exaone4,
  gemma3,
  granite,
  granite4,
  olmo,
  phi3,
  smollm3,
  dense,
  gemma4,
  hybrid,
  encoder,
]);

/**
 * The family that `architectures` names; by `model_type` when there is no such
 * list. Throws ModelConfigError that lists the known ones.
 */
export function familyOf(config: ConfigReader): Family {
  const names = config.strings("architectures", []);
  const type = config.string("model_type", "");
  const found =
    names.length > 0
      ? (familyOfClass(names) ?? familyOfClass(names.map(causalClass)))
      : FAMILIES.find((family) => family.name === type);
  if (found) return found;
  refuseByKey(config);
  const said = names.length > 0 ? `architecture ${names.join(", ")}` : `model_type "${type}"`;
  const known = FAMILIES.flatMap((family) => family.architectures).join(", ");
  throw new ModelConfigError(`${config.file}: unknown ${said}; known: ${known}`);
}

function familyOfClass(names: readonly string[]): Family | undefined {
  return FAMILIES.find(({ architectures }) => names.some((name) => architectures.includes(name)));
}

/** Without a language head nobody asks for logits; the description's is then the embedding table. */
function readerOf(config: Readonly<Record<string, unknown>>, source: string): ConfigReader {
  const reader = new ConfigReader(config, source);
  const names = reader.strings("architectures", []);
  if (names.length === 0 || familyOfClass(names) !== undefined) return reader;
  return new ConfigReader({ ...config, tie_word_embeddings: true }, source);
}

/** Keys that say more of an unknown model than its name does. */
const TELLING: readonly (readonly [key: string, what: string])[] = [
  [
    "vision_config",
    "a vision tower; only text decoders are served: use the model's text-only checkpoint",
  ],
  [
    "audio_config",
    "an audio tower; only text decoders are served: use the model's text-only checkpoint",
  ],
  ["state_size", "recurrent layers, which are not built: use a model whose layers are attention"],
  ["ssm_cfg", "recurrent layers, which are not built: use a model whose layers are attention"],
  [
    "mamba_d_state",
    "recurrent layers, which are not built: use a model whose layers are attention",
  ],
  [
    "attention_hidden_size",
    "recurrent layers, which are not built: use a model whose layers are attention",
  ],
];

function refuseByKey(config: ConfigReader): void {
  const found = TELLING.find(([key]) => config.has(key));
  if (found) throw new ModelConfigError(`${config.file}: "${found[0]}" describes ${found[1]}`);
}

/** Describes config.json's model as it is priced. `source` is the file, for messages. */
export function describe(
  config: Readonly<Record<string, unknown>>,
  source = "config.json",
): Architecture {
  const reader = readerOf(config, source);
  const family = familyOf(reader);
  return family.priced?.(reader) ?? family.describe(reader);
}

/** The same as it is computed, of a model with weights. */
export function describeComputed(
  config: Readonly<Record<string, unknown>>,
  source = "config.json",
): Architecture {
  const reader = readerOf(config, source);
  return familyOf(reader).describe(reader);
}
