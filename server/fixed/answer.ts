/**
 * A fixed answer as a model's output: its ids are forced on the sampler, so that the
 * engine, the device and the streams do with it what they do with any other. Text,
 * thought and calls are told apart by their places, not by a parser's marks.
 */
import type { TokenId } from "../../device/device.ts";
import type { GenerationRequest } from "../../engine/sequence.ts";
import type { Decoder, Tokenizer } from "../../models/model.ts";
import type { PreparedChat } from "../generation/chat.ts";
import { ForcedIds } from "../generation/forced-ids.ts";
import type { GenerationTask } from "../generation/generate.ts";
import type { OutputParser } from "../generation/parser.ts";
import { joinPart, type ParsedPart } from "../generation/parts.ts";
import { newToolCallId } from "../generation/tools/registry.ts";
import type { Answer, Call } from "../settings/match-lines.ts";

/** A stretch [from, to) of the output's characters. */
interface Segment {
  readonly from: number;
  readonly to: number;
  /** Absent: text, or a thought. */
  readonly call?: Call;
  readonly reasoning?: boolean;
}

export class FixedAnswer {
  /** All of the output but its end. */
  readonly ids: readonly TokenId[];
  /** The text that each of the ids brings. */
  readonly #pieces: readonly string[];
  readonly #segments: readonly Segment[];
  /** Ids of the thought, which stands first. */
  readonly #reasoningIds: number;
  readonly #ends: boolean;

  private constructor(
    tokens: { readonly ids: readonly TokenId[]; readonly pieces: readonly string[] },
    segments: readonly Segment[],
    { reasoningIds, ends }: { readonly reasoningIds: number; readonly ends: boolean },
  ) {
    this.ids = tokens.ids;
    this.#pieces = tokens.pieces;
    this.#segments = segments;
    this.#reasoningIds = reasoningIds;
    this.#ends = ends;
  }

  /** Rejects with what the tokenizer says of the text. */
  static async of(answer: Answer, tokenizer: Tokenizer): Promise<FixedAnswer> {
    const ids: TokenId[] = [];
    const pieces: string[] = [];
    const segments: Segment[] = [];
    let length = 0;
    const add = async (text: string, what: Pick<Segment, "call" | "reasoning">) => {
      const encoded = await tokenizer.encode(text, { addSpecialTokens: false });
      ids.push(...encoded);
      pieces.push(...piecesOf(text, encoded, tokenizer));
      segments.push({ from: length, to: length + text.length, ...what });
      length += text.length;
    };
    if (answer.reasoning) await add(answer.reasoning, { reasoning: true });
    const reasoningIds = ids.length;
    if (answer.text) await add(answer.text, {});
    for (const call of answer.calls ?? []) await add(callText(call), { call });
    const ends = answer.finish !== "length";
    return new FixedAnswer({ ids, pieces }, segments, { reasoningIds, ends });
  }

  /** The same task with this output. */
  force(task: GenerationTask, end: TokenId | undefined): GenerationTask {
    const last = this.#ends ? end : undefined;
    const ids = last === undefined ? this.ids : [...this.ids, last];
    return {
      ...task,
      requests: task.requests.map((request) => forced(request, ids, last)),
      decoder: () => new PieceDecoder(this.#pieces),
    };
  }

  /** A chat that is answered so. */
  chat(prepared: PreparedChat, end: TokenId | undefined): PreparedChat {
    const { plan, task, fields } = prepared;
    const shown = fields.include_reasoning !== false;
    return {
      ...prepared,
      plan: {
        ...plan,
        parser: () => new PlaceParser(this.#segments, { shown, reasoningIds: this.#reasoningIds }),
        finishReason: ({ reason, toolCalls }) =>
          toolCalls > 0 && reason === "stop" ? "tool_calls" : reason,
      },
      task: this.force(task, end),
    };
  }
}

const headOf = (name: string): string => `{"name": ${JSON.stringify(name)}, "arguments": `;
const TAIL = "}";

/** As models write it, so that as many tokens are counted. */
function callText({ name, arguments: given }: Call): string {
  return `${headOf(name)}${typeof given === "string" ? given : JSON.stringify(given)}${TAIL}`;
}

/** The ids of a request are drawn no more: what would narrow them is taken away. */
function forced(
  request: GenerationRequest,
  ids: readonly TokenId[],
  end: TokenId | undefined,
): GenerationRequest {
  const { params, n = 1 } = request;
  const { allowedTokenIds: _allowed, ...rest } = params;
  return {
    ...request,
    params: {
      ...rest,
      ...{ maxTokens: Math.min(params.maxTokens, ids.length), minTokens: 0, temperature: 0 },
      ...{ repetitionPenalty: 1, frequencyPenalty: 0, presencePenalty: 0 },
      ...{ logitBias: new Map(), badWords: [], ignoreEos: end === undefined },
      ...(end !== undefined && { eosTokenIds: [end] }),
    },
    constraints: Array.from({ length: n }, () => new ForcedIds(ids)),
  };
}

/** The text of each id; by shares where the tokenizer does not give back what it was given. */
function piecesOf(text: string, ids: Int32Array, tokenizer: Tokenizer): readonly string[] {
  const decoder = tokenizer.decoder({ skipSpecial: false });
  const pieces = Array.from(ids, (id) => decoder.push(id));
  if (pieces.length > 0) pieces[pieces.length - 1] += decoder.end();
  if (pieces.join("") === text) return pieces;
  const place = (at: number): number => Math.round((at * text.length) / ids.length);
  return pieces.map((_, at) => text.slice(place(at), place(at + 1)));
}

/** Tells one piece after the other, whatever the ids. */
class PieceDecoder implements Decoder {
  readonly #pieces: readonly string[];
  #at = 0;

  constructor(pieces: readonly string[]) {
    this.#pieces = pieces;
  }

  push(): string {
    return this.#pieces[this.#at++] ?? "";
  }

  end(): string {
    return "";
  }
}

/** Knows what a text is by where it stands. */
class PlaceParser implements OutputParser {
  readonly #segments: readonly Segment[];
  readonly #shown: boolean;
  readonly #reasoningIds: number;
  #at = 0;
  #ids = 0;
  #calls = 0;
  readonly #begun = new Set<Segment>();

  constructor(
    segments: readonly Segment[],
    { shown, reasoningIds }: { readonly shown: boolean; readonly reasoningIds: number },
  ) {
    this.#segments = segments;
    this.#shown = shown;
    this.#reasoningIds = reasoningIds;
  }

  get reasoningTokens(): number {
    return Math.min(this.#ids, this.#reasoningIds);
  }

  push(text: string, ids: readonly number[]): readonly ParsedPart[] {
    this.#ids += ids.length;
    const from = this.#at;
    this.#at += text.length;
    const parts: ParsedPart[] = [];
    /** What of [begin, end) came now. */
    const now = (begin: number, end: number): string =>
      text.slice(Math.max(begin, from) - from, Math.max(begin, Math.min(end, this.#at)) - from);
    for (const segment of this.#segments) {
      const { from: begin, to: end, call, reasoning } = segment;
      if (begin >= this.#at || end <= from) continue;
      if (call !== undefined) this.#pushCall(parts, segment, now);
      else if (!reasoning) joinPart(parts, { type: "text-delta", text: now(begin, end) });
      else if (this.#shown) joinPart(parts, { type: "reasoning-delta", text: now(begin, end) });
    }
    return parts;
  }

  end(): readonly ParsedPart[] {
    return [];
  }

  #pushCall(
    parts: ParsedPart[],
    segment: Segment,
    now: (begin: number, end: number) => string,
  ): void {
    const { from, to, call } = segment;
    if (call === undefined) return;
    const begin = from + headOf(call.name).length;
    if (this.#at <= begin) return;
    if (!this.#begun.has(segment)) {
      this.#begun.add(segment);
      const id = call.id ?? newToolCallId();
      parts.push({ type: "call-start", call: this.#calls++, id, name: call.name });
    }
    const text = now(begin, to - TAIL.length);
    if (text !== "") joinPart(parts, { type: "call-delta", call: this.#calls - 1, text });
  }
}
