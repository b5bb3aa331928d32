/** Log-probabilities as chat, completions and prompt_logprobs spell them. */

import type { PositionLogprobs, TokenId } from "../../device/device.ts";
import type { Tokenizer } from "../../models/model.ts";
import { entryAt } from "../entry-at.ts";
import { placed } from "../http/python-json.ts";

/** vLLM's floor: JSON has no −∞. */
const FLOOR = -9999;

const floored = (value: number): number => Math.max(value, FLOOR);

/** How tokens are called in logprobs. */
export class TokenNames {
  readonly #tokenizer: Tokenizer | undefined;
  readonly #asIds: boolean;
  readonly #decoder = new TextDecoder();

  constructor(tokenizer: Tokenizer | undefined, asIds: boolean) {
    this.#tokenizer = tokenizer;
    this.#asIds = asIds;
  }

  name(id: TokenId): string {
    return this.#asIds ? `token_id:${id}` : this.text(id);
  }

  text(id: TokenId): string {
    const bytes = this.#tokenizer?.bytes(id);
    if (bytes !== undefined && bytes.length > 0) return this.#decoder.decode(bytes);
    return this.#tokenizer?.token(id) ?? "";
  }

  /** The token's own bytes, halves of characters included. */
  bytes(id: TokenId): number[] {
    const bytes = this.#tokenizer?.bytes(id);
    return bytes !== undefined && bytes.length > 0
      ? [...bytes]
      : [...new TextEncoder().encode(this.name(id))];
  }

  /** Of an alternative: of its id's name where ids are asked for. */
  otherBytes(id: TokenId): number[] {
    return this.#asIds ? [...new TextEncoder().encode(this.name(id))] : this.bytes(id);
  }
}

/**
 * `choices[].logprobs` of chat; `top` entries a position, −1: all there are. `named`:
 * the ids that were asked for by name, after the chosen one.
 */
export function chatLogprobs(
  ids: readonly TokenId[],
  logprobs: readonly PositionLogprobs[],
  {
    names,
    top,
    named,
  }: { readonly names: TokenNames; readonly top: number; readonly named: boolean },
) {
  const entry = (id: TokenId, logprob: number) => ({
    token: names.name(id),
    logprob: floored(logprob),
    bytes: names.otherBytes(id),
  });
  return {
    content: logprobs.map((position, index) => {
      const chosen = entryAt(ids, index);
      const own = entry(chosen, position.chosen);
      const others = position.topIds
        .slice(0, top < 0 ? undefined : top)
        .map((id, rank) => entry(id, entryAt(position.topLogprobs, rank)))
        .filter((_, rank) => !(named && position.topIds[rank] === chosen));
      return {
        ...own,
        bytes: names.bytes(chosen),
        top_logprobs: named ? [own, ...others] : others,
      };
    }),
  };
}

/** `choices[].logprobs` of text completions. */
export interface CompletionLogprobs {
  readonly text_offset: number[];
  readonly token_logprobs: (number | null)[];
  readonly tokens: string[];
  readonly top_logprobs: (Record<string, number> | null)[];
}

export const noLogprobs = (): CompletionLogprobs => ({
  text_offset: [],
  token_logprobs: [],
  tokens: [],
  top_logprobs: [],
});

/** Appends positions; `undefined` stands for the first prompt token, which has none. Returns the next offset. */
export function appendLogprobs(
  target: CompletionLogprobs,
  ids: readonly TokenId[],
  {
    logprobs,
    names,
    offset,
  }: {
    readonly logprobs: readonly (PositionLogprobs | undefined)[];
    readonly names: TokenNames;
    readonly offset: number;
  },
): number {
  let at = offset;
  ids.forEach((id, index) => {
    const position = logprobs[index];
    const name = names.name(id);
    target.text_offset.push(at);
    target.tokens.push(name);
    target.token_logprobs.push(position === undefined ? null : floored(position.chosen));
    if (position === undefined) target.top_logprobs.push(null);
    else {
      const top: Record<string, number> = { [name]: floored(position.chosen) };
      position.topIds.forEach((topId, rank) => {
        top[names.name(topId)] ??= floored(entryAt(position.topLogprobs, rank));
      });
      target.top_logprobs.push(top);
    }
    at += Array.from(name).length; // characters, as Python counts them
  });
  return at;
}

/** `prompt_logprobs`: the first is null, then a dictionary by id, the prompt's own first; written by `pythonJson`. */
export function promptLogprobs(
  prompt: Int32Array,
  logprobs: readonly PositionLogprobs[],
  names: TokenNames,
) {
  const positions = logprobs.map((position, index) => {
    const entries: Record<string, { logprob: number; rank: number; decoded_token: string }> = {};
    const add = (id: TokenId, logprob: number, rank: number): void => {
      entries[placed(String(id))] ??= {
        logprob: floored(logprob),
        rank,
        decoded_token: names.text(id),
      };
    };
    add(entryAt(prompt, index + 1), position.chosen, position.rank);
    position.topIds.forEach((id, rank) => {
      add(id, entryAt(position.topLogprobs, rank), rank + 1);
    });
    return entries;
  });
  return [null, ...positions];
}
