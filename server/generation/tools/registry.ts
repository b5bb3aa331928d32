/** Tool-call formats by the names of `--tool-call-parser`. */
import { randomBytes, randomUUID } from "node:crypto";
import { type ParameterTypes, parameterTypes } from "./arguments.ts";
import { HermesParser } from "./hermes.ts";
import { Llama3JsonParser } from "./llama3-json.ts";
import { MistralParser } from "./mistral.ts";
import { ToolOutput, type ToolParser } from "./output.ts";
import { PythonicParser } from "./pythonic.ts";
import { Qwen3XmlParser } from "./qwen3-xml.ts";

interface ToolFormat {
  readonly create: (output: ToolOutput, types: ParameterTypes) => ToolParser;
  /** Its markers are special tokens, which must therefore stay in the text. */
  readonly special?: boolean;
  readonly newId?: () => string;
}

const FORMATS: Readonly<Record<string, ToolFormat>> = {
  hermes: { create: (output) => new HermesParser(output) },
  llama3_json: { create: (output) => new Llama3JsonParser(output), special: true },
  mistral: { create: (output) => new MistralParser(output), special: true, newId: mistralId },
  pythonic: { create: (output) => new PythonicParser(output) },
  qwen3_coder: { create: (output, types) => new Qwen3XmlParser(output, types) },
  qwen3_xml: { create: (output, types) => new Qwen3XmlParser(output, types) },
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
  return `chatcmpl-tool-${randomUUID().replaceAll("-", "")}`;
}

const ALPHANUMERIC = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/** Mistral's templates take ids of exactly nine letters and digits. */
function mistralId(): string {
  return Array.from(randomBytes(9), (byte) => ALPHANUMERIC[byte % ALPHANUMERIC.length]).join("");
}
