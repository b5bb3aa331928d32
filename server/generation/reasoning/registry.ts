/** Reasoning formats by the names of `--reasoning-parser`. */

export interface ReasoningFormat {
  readonly kind: "think" | "harmony";
  /** Text after which the answer begins: a grammar holds from there on. */
  readonly endMarker: string;
  /** The template's variable that turns thinking off. */
  readonly switch?: string;
}

const FORMATS: Readonly<Record<string, ReasoningFormat>> = {
  deepseek_r1: { kind: "think", endMarker: "</think>" },
  openai_gptoss: { kind: "harmony", endMarker: "<|channel|>final<|message|>" },
  qwen3: { kind: "think", endMarker: "</think>", switch: "enable_thinking" },
};

export const REASONING_PARSERS: readonly string[] = Object.keys(FORMATS).sort();

export function reasoningFormat(name: string): ReasoningFormat | undefined {
  return Object.hasOwn(FORMATS, name) ? FORMATS[name] : undefined;
}
