/**
 * What becomes of an output on its way to the client: a closed list of parts, in
 * order. Each kind of part opens, grows and ends before the next one opens; the
 * finish is the last. Parts are a reading of tokens: a delta carries both.
 */
import type { PositionLogprobs, TokenId } from "../../device/device.ts";
import type { FinishReason } from "../../engine/sequence.ts";

export type OutputPart =
  | { readonly type: "text-start" }
  | { readonly type: "text-delta"; readonly text: string }
  | { readonly type: "text-end" }
  | { readonly type: "reasoning-start" }
  | { readonly type: "reasoning-delta"; readonly text: string }
  | { readonly type: "reasoning-end" }
  /** `call`: position among the calls of the choice. */
  | {
      readonly type: "call-start";
      readonly call: number;
      readonly id: string;
      readonly name: string;
    }
  /** The next piece of the arguments' JSON text. */
  | { readonly type: "call-delta"; readonly call: number; readonly text: string }
  | { readonly type: "call-end"; readonly call: number }
  | OutputFinish;

export interface OutputFinish {
  readonly type: "finish";
  /** As the engine said it. */
  readonly reason: FinishReason;
  /** The stop string, or the stop token's id; null for everything else. */
  readonly stopReason: string | number | null;
  /** Calls begun. */
  readonly calls: number;
}

/** What parsers find; opening and ending parts is `ChoiceReader`'s. */
export type ParsedPart = Extract<
  OutputPart,
  { readonly type: "text-delta" | "reasoning-delta" | "call-start" | "call-delta" }
>;

/** What one choice gained since the last time. */
export interface OutputDelta {
  readonly index: number;
  /** As it was before it was taken apart. */
  readonly text: string;
  readonly ids: readonly TokenId[];
  /** One for each of `ids`, when asked for. */
  readonly logprobs: readonly PositionLogprobs[];
  /** With the first delta, when asked for: of prompt positions 1, 2, … */
  readonly promptLogprobs?: readonly PositionLogprobs[];
  /** Empty while a character, a stop string or a marker is held back. */
  readonly parts: readonly OutputPart[];
}

/** Appends a part, joined with the last one where both are pieces of the same. */
export function joinPart(parts: ParsedPart[], part: ParsedPart): void {
  const last = parts.at(-1);
  const grows =
    last !== undefined &&
    last.type === part.type &&
    "text" in last &&
    "text" in part &&
    (last.type !== "call-delta" || part.type !== "call-delta" || last.call === part.call);
  if (grows) parts[parts.length - 1] = { ...last, text: last.text + part.text };
  else parts.push(part);
}

/** All text of one kind in these parts; undefined: there is none of it. */
export function textOf(
  parts: readonly OutputPart[],
  type: "text-delta" | "reasoning-delta",
): string | undefined {
  let text: string | undefined;
  for (const part of parts) if (part.type === type) text = (text ?? "") + part.text;
  return text;
}

export interface OutputCall {
  readonly id: string;
  readonly name: string;
  readonly arguments: string;
}

const NO_CALLS: readonly OutputCall[] = [];

/** The calls that begin in these parts, whole. */
export function callsOf(parts: readonly OutputPart[]): readonly OutputCall[] {
  if (!parts.some(({ type }) => type === "call-start")) return NO_CALLS;
  const calls = new Map<number, OutputCall>();
  for (const part of parts) {
    if (part.type === "call-start") {
      calls.set(part.call, { id: part.id, name: part.name, arguments: "" });
    } else if (part.type === "call-delta") {
      const call = calls.get(part.call);
      if (call) calls.set(part.call, { ...call, arguments: call.arguments + part.text });
    }
  }
  return [...calls.values()];
}

export function finishOf(parts: readonly OutputPart[]): OutputFinish | undefined {
  const last = parts.at(-1);
  return last?.type === "finish" ? last : undefined;
}

/** A call that is cut off in the piece that named it is closed: `{}`, as vLLM streams hermes. */
export function withClosedCalls(delta: OutputDelta): OutputDelta {
  const { parts } = delta;
  const named = parts.findLastIndex(({ type }) => type === "call-start");
  const bare = named >= 0 && parts[named + 1]?.type === "call-end";
  const start = parts[named];
  if (!bare || finishOf(parts) === undefined || start?.type !== "call-start") return delta;
  const closed = { type: "call-delta" as const, call: start.call, text: "{}" };
  return { ...delta, parts: parts.toSpliced(named + 1, 0, closed) };
}
