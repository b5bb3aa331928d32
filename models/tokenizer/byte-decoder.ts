/**
 * Token ids to text, as a stream. `TokenBytes` is the table of one vocabulary,
 * shared by all streams; `StreamDecoder` is one text in the making.
 */
import type { Decoder } from "../model.ts";
import type { TextRules } from "./text-rules.ts";
import { toExactText, Utf8Stream } from "./utf8.ts";

/** Bytes of every id, in one array. */
export class TokenBytes {
  readonly rules: TextRules;
  readonly #tokens: readonly (string | undefined)[];
  readonly #bytes: Uint8Array;
  /** Id's bytes are `[offsets[id], offsets[id + 1])`. */
  readonly #offsets: Uint32Array;
  /** Texts of ids that are whole characters (the usual case); null: not whole. Filled when asked. */
  readonly #texts: (string | null | undefined)[];

  constructor(tokens: readonly (string | undefined)[], rules: TextRules) {
    this.rules = rules;
    this.#tokens = tokens;
    this.#offsets = new Uint32Array(tokens.length + 1);
    this.#texts = new Array<string | null | undefined>(tokens.length);
    let bytes = new Uint8Array(tokens.length * 8);
    let end = 0;
    for (const [id, token] of tokens.entries()) {
      const its = token === undefined ? undefined : rules.bytes(token, false);
      if (its) {
        if (end + its.length > bytes.length) bytes = grow(bytes, end + its.length);
        bytes.set(its, end);
        end += its.length;
      }
      this.#offsets[id + 1] = end;
    }
    this.#bytes = bytes.slice(0, end);
  }

  /** Length of the table: every id is below it. */
  get size(): number {
    return this.#tokens.length;
  }

  token(id: number): string | undefined {
    return this.#tokens[id];
  }

  /** Bytes in running text; empty for an unknown id. A view: do not write. */
  at(id: number): Uint8Array {
    return this.#bytes.subarray(this.#offsets[id] ?? 0, this.#offsets[id + 1] ?? 0);
  }

  /** What a text gains by the id. */
  through(id: number, utf8: Utf8Stream): string {
    return utf8.push(this.#bytes, this.#offsets[id] ?? 0, this.#offsets[id + 1] ?? 0);
  }

  /** Bytes when nothing stands before. */
  first(id: number): Uint8Array {
    const token = this.#tokens[id];
    if (token === undefined || !this.rules.firstDiffers) return this.at(id);
    return this.rules.bytes(token, true);
  }

  /** The text of an id in running text; undefined when it holds part of a character. */
  text(id: number): string | undefined {
    const known = this.#texts[id];
    if (known !== undefined) return known ?? undefined;
    const text = toExactText(this.at(id));
    this.#texts[id] = text ?? null;
    return text;
  }
}

/** Where a stream starts, and what it leaves out. */
export interface StreamOptions {
  /** Ids that give no text. */
  readonly skip?: ReadonlySet<number> | undefined;
  /** Ids that stand before the text: it goes on from them, and none of theirs is given. */
  readonly after?: readonly number[] | Int32Array | undefined;
}

/** Ids before the text that can still hold part of a character. */
const REACH = 4;

export class StreamDecoder implements Decoder {
  readonly #table: TokenBytes;
  readonly #skip: ReadonlySet<number> | undefined;
  readonly #utf8: Utf8Stream;
  #first = true;
  /** How often the beginning may still be stripped. */
  #strips: number;

  constructor(table: TokenBytes, options: StreamOptions = {}) {
    this.#table = table;
    this.#skip = options.skip;
    this.#utf8 = new Utf8Stream(table.rules.replacement);
    this.#strips = table.rules.strip?.count ?? 0;
    if (options.after) this.#passOver(options.after);
  }

  push(id: number): string {
    if (this.#skip?.has(id)) return "";
    if (this.#first) return this.#pushFirst(id);
    if (!this.#utf8.holding) {
      const text = this.#table.text(id);
      if (text !== undefined) return this.#strip(text);
    }
    return this.#strip(this.#table.through(id, this.#utf8));
  }

  end(): string {
    return this.#strip(this.#utf8.end());
  }

  #pushFirst(id: number): string {
    if (this.#table.token(id) === undefined) return "";
    this.#first = false;
    return this.#strip(this.#utf8.push(this.#table.first(id)));
  }

  /** Takes what the rules strip off the beginning of the text. */
  #strip(text: string): string {
    const strip = this.#table.rules.strip;
    if (this.#strips === 0 || strip === undefined || text === "") return text;
    let rest = text;
    while (this.#strips > 0 && rest.startsWith(strip.content)) {
      rest = rest.slice(strip.content.length);
      this.#strips--;
    }
    if (rest !== "") this.#strips = 0;
    return rest;
  }

  /** Reads ids for their effect: as many as it takes to be past the beginning, then the last few. */
  #passOver(ids: readonly number[] | Int32Array): void {
    if (this.#endsWhole(ids[ids.length - 1] ?? -1)) {
      this.#first = false;
      return;
    }
    let at = 0;
    while (at < ids.length && (this.#first || this.#strips > 0)) this.push(ids[at++] ?? -1);
    for (at = Math.max(at, ids.length - REACH); at < ids.length; at++) this.push(ids[at] ?? -1);
    this.#utf8.passOver();
  }

  /** Whole characters, after which nothing of what came before is held, nor is there a beginning to strip. */
  #endsWhole(id: number): boolean {
    if (this.#strips > 0 || this.#table.rules.firstDiffers || this.#skip?.has(id)) return false;
    return (this.#table.text(id) ?? "") !== "";
  }
}

function grow(bytes: Uint8Array<ArrayBuffer>, least: number): Uint8Array<ArrayBuffer> {
  const more = new Uint8Array(Math.max(least, bytes.length * 2));
  more.set(bytes);
  return more;
}
