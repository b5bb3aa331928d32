/** Tool-call formats by the names of `--tool-call-parser`. */
import { randomBytes } from "node:crypto";
import { hexId } from "../../hex-id.ts";
import { ToolOutput, type ToolParser } from "../tool-output.ts";
import { type ParameterTypes, parameterTypes } from "./arguments.ts";
import { HarmonyTools } from "./harmony.ts";
import { HermesParser } from "./hermes.ts";
import {
  GRANITE,
  JAMBA,
  type JsonCallMarks,
  JsonCallsParser,
  MINIMAX_M1,
  PHI4,
} from "./json-calls.ts";
import { KeyedParser } from "./keyed.ts";
import { Llama3JsonParser } from "./llama3-json.ts";
import { DEEPSEEK_V3, DEEPSEEK_V31, KIMI, MarkedParser, type Marks } from "./marked.ts";
import { MistralParser } from "./mistral.ts";
import { MarkedPythonicParser, PythonicParser } from "./pythonic.ts";
import { MIMO, MINIMAX, QWEN, SEED, TaggedParser, type Tags } from "./tagged.ts";

interface ToolFormat {
  readonly create: (output: ToolOutput, types: ParameterTypes) => ToolParser;
  /** Its markers are special tokens, which must therefore stay in the text. */
  readonly special?: boolean;
  readonly newId?: () => string;
  /** Marks that end a thought where a call begins inside it. */
  readonly opens?: readonly string[];
  /** Reasoning parser that goes with it where none is named: the two are one format. */
  readonly reasoning?: string;
}

const hermes: ToolFormat = { create: (output) => new HermesParser(output) };
const llama: ToolFormat = { create: (output) => new Llama3JsonParser(output), special: true };
const pythonic: ToolFormat = { create: (output) => new PythonicParser(output) };

const tagged = (tags: Tags, special: boolean): ToolFormat => ({
  create: (output, types) => new TaggedParser(output, types, tags),
  opens: [tags.open],
  special,
});
const qwen = tagged(QWEN, false);
const marked = (marks: Marks, opens: readonly string[]): ToolFormat => ({
  create: (output) => new MarkedParser(output, marks),
  opens,
  special: true,
});
const listed = (marks: JsonCallMarks): ToolFormat => ({
  create: (output) => new JsonCallsParser(output, marks),
  special: true,
});
const glm: ToolFormat = {
  create: (output, types) => new KeyedParser(output, types),
  opens: ["<tool_call>"],
  special: true,
};

const FORMATS: Readonly<Record<string, ToolFormat>> = {
  deepseek_v3: marked(DEEPSEEK_V3, []),
  deepseek_v31: marked(DEEPSEEK_V31, []),
  glm45: glm,
  glm47: glm,
  glm4_moe: glm,
  granite: listed(GRANITE),
  granite4: { ...hermes, special: true },
  hermes,
  hunyuan_a13b: listed(JAMBA),
  jamba: listed(JAMBA),
  kimi_k2: marked(KIMI, [KIMI.open]),
  ling3: glm,
  llama3_json: llama,
  llama4_json: llama,
  llama4_pythonic: { create: (output) => new MarkedPythonicParser(output) },
  longcat: { create: (output) => new HermesParser(output, "longcat_tool_call"), special: true },
  mimo: tagged(MIMO, false),
  minimax: listed(MINIMAX_M1),
  minimax_m2: tagged(MINIMAX, true),
  mistral: { create: (output) => new MistralParser(output), special: true, newId: mistralId },
  openai: {
    create: (output) => new HarmonyTools(output),
    special: true,
    reasoning: "openai_gptoss",
  },
  phi4_mini_json: listed(PHI4),
  pythonic,
  qwen3_coder: qwen,
  qwen3_json: hermes,
  qwen3_xml: qwen,
  seed_oss: tagged(SEED, true),
  step3p5: qwen,
};

export const TOOL_PARSERS: readonly string[] = Object.keys(FORMATS).sort();

/** Undefined: no such parser. */
export function toolFormat(name: string): ToolFormat | undefined {
  return Object.hasOwn(FORMATS, name) ? FORMATS[name] : undefined;
}

/** A parser and where its findings are. */
export function createToolParser(
  format: ToolFormat,
  tools: readonly unknown[],
): { readonly parser: ToolParser; readonly output: ToolOutput } {
  const output = new ToolOutput(format.newId ?? newToolCallId);
  return { parser: format.create(output, parameterTypes(tools)), output };
}

export function newToolCallId(): string {
  return `chatcmpl-tool-${hexId()}`;
}

const ALPHANUMERIC = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/** Mistral's templates take ids of exactly nine letters and digits. */
function mistralId(): string {
  return Array.from(randomBytes(9), (byte) => ALPHANUMERIC[byte % ALPHANUMERIC.length]).join("");
}
