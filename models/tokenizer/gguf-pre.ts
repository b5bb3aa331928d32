/**
 * How a byte-level vocabulary's texts are split, by the name that a GGUF file gives it
 * (`tokenizer.ggml.pre`). The steps are those of the models' own tokenizer.json.
 */
import {
  DEEPSEEK_CODER,
  DEEPSEEK_LLM,
  deepseekV3,
  LLAMA_3,
  O200K,
  QWEN_2,
  QWEN_3_5,
  TEKKEN,
} from "./patterns.ts";

export interface PreTokenizer {
  /** Pre-tokenizers before the bytes. */
  readonly steps: readonly object[];
  /** GPT-2's own pattern comes after them. */
  readonly words: boolean;
  /** Pre-tokenizers behind the bytes. */
  readonly after?: readonly object[];
  readonly normalizer?: "NFC";
  /** A word that is a token is never merged from its parts. */
  readonly wholeFirst?: true;
  /** Texts begin with the vocabulary's token for it, unless the file says. */
  readonly begins?: true;
}

const split = (...patterns: readonly string[]): readonly object[] =>
  patterns.map((Regex) => ({
    type: "Split",
    pattern: { Regex },
    behavior: "Isolated",
    invert: false,
  }));
const DIGITS = { type: "Digits", individual_digits: true };

const GPT_2: PreTokenizer = { steps: [], words: true };
const NEOX: PreTokenizer = { ...GPT_2, normalizer: "NFC" };
const STARCODER: PreTokenizer = { steps: [DIGITS], words: true };
const LLAMA: PreTokenizer = { steps: split(LLAMA_3), words: false };
const LLAMA_BPE: PreTokenizer = { ...LLAMA, wholeFirst: true, begins: true };
const QWEN: PreTokenizer = { steps: split(QWEN_2), words: false, normalizer: "NFC" };
const GPT_4O: PreTokenizer = { steps: split(O200K), words: false };

export const PRE_TOKENIZERS: Readonly<Record<string, PreTokenizer>> = {
  "gpt-2": GPT_2,
  "phi-2": GPT_2,
  mpt: NEOX,
  olmo: NEOX,
  starcoder: STARCODER,
  refact: STARCODER,
  codeshell: STARCODER,
  smollm: STARCODER,
  "command-r": { ...STARCODER, normalizer: "NFC" },
  "llama-bpe": LLAMA_BPE,
  llama3: LLAMA_BPE,
  "llama-v3": LLAMA_BPE,
  falcon3: LLAMA_BPE,
  dbrx: LLAMA,
  "smaug-bpe": LLAMA,
  glm4: LLAMA,
  "chatglm-bpe": LLAMA,
  qwen2: QWEN,
  "deepseek-r1-qwen": QWEN,
  megrez: QWEN,
  qwen35: { steps: split(QWEN_3_5), words: false },
  "gpt-4o": GPT_4O,
  llama4: GPT_4O,
  tekken: { steps: split(TEKKEN), words: false, wholeFirst: true, begins: true },
  "deepseek-llm": { steps: [...split(...DEEPSEEK_LLM), DIGITS], words: false },
  "deepseek-coder": { steps: [...split(...DEEPSEEK_CODER), DIGITS], words: false },
  "deepseek-v3": { steps: split(...deepseekV3("\r\n")), words: false },
  falcon: {
    steps: [{ type: "Punctuation", behavior: "Contiguous" }],
    words: true,
    after: split("[0-9][0-9][0-9]"),
  },
};
