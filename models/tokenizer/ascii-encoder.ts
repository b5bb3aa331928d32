/**
 * Ids of short ASCII text, on the caller's thread, for byte-level BPE: a call of the
 * native package wakes a thread and comes back by the event loop, which costs more than
 * the words of a prompt do. Whatever is not plainly within reach here (another model,
 * normaliser or pattern, text beyond ASCII or long) is left to the package; where this
 * answers, it gives the package's ids.
 */
import { isObject } from "../config.ts";
import { idsOf } from "../ids.ts";
import { type Pieces, readPieces } from "./ascii-pieces.ts";

/** Characters of a text that is read here: at most about a millisecond of the event loop. */
const MAX_TEXT = 8_192;
/** Characters of one piece: merging is quadratic in them. */
const MAX_PIECE = 128;
/** Pieces whose ids are kept; then the table begins anew. */
const MAX_KEPT = 20_000;
/** Added tokens are one alternation. */
const MAX_ADDED = 2_048;
/** Rank of a pair that never merges. */
const NONE = Number.POSITIVE_INFINITY;

const ASCII = /^[\0-\x7f]*$/;

type Ids = readonly number[];

export class AsciiEncoder {
  readonly #pieces: Pieces;
  readonly #merges: Merges;
  readonly #added: Added;
  readonly #before: Ids;
  readonly #after: Ids;
  readonly #kept = new Map<string, Ids>();

  private constructor(pieces: Pieces, merges: Merges, added: Added, around: Around) {
    this.#pieces = pieces;
    this.#merges = merges;
    this.#added = added;
    this.#before = around.before;
    this.#after = around.after;
  }

  /** Of a parsed tokenizer.json whose patterns are published ones; undefined where it is of another kind. */
  static read(file: Readonly<Record<string, unknown>>): AsciiEncoder | undefined {
    if (!leavesAscii(file["normalizer"])) return undefined;
    const pieces = readPieces(file["pre_tokenizer"]);
    const merges = pieces && Merges.read(file["model"]);
    const added = merges && Added.read(file["added_tokens"]);
    const around = added && readAround(file["post_processor"]);
    return around && new AsciiEncoder(pieces, merges, added, around);
  }

  /** Undefined where the text is for the package. */
  encode(text: string, addSpecialTokens: boolean): Int32Array | undefined {
    if (text.length > MAX_TEXT || !ASCII.test(text)) return undefined;
    const ids: number[] = addSpecialTokens ? [...this.#before] : [];
    if (!this.#added.split(text, ids, (plain) => this.#plain(plain, ids))) return undefined;
    if (addSpecialTokens) ids.push(...this.#after);
    return idsOf(ids);
  }

  /** False where a piece is not read here. */
  #plain(text: string, ids: number[]): boolean {
    const pieces: string[] = [];
    this.#pieces(text, pieces);
    for (const piece of pieces) {
      const kept = this.#kept.get(piece) ?? this.#read(piece);
      if (kept === undefined) return false;
      for (const id of kept) ids.push(id);
    }
    return true;
  }

  #read(piece: string): Ids | undefined {
    if (piece.length > MAX_PIECE) return undefined;
    const ids = this.#merges.apply(piece);
    if (ids === undefined) return undefined;
    if (this.#kept.size >= MAX_KEPT) this.#kept.clear();
    // A slice would keep the whole text it was cut from.
    this.#kept.set(Buffer.from(piece, "latin1").toString("latin1"), ids);
    return ids;
  }
}

/** Does the normaliser leave ASCII as it is? */
function leavesAscii(section: unknown): boolean {
  if (section === undefined || section === null) return true;
  if (!isObject(section)) return false;
  const { type, normalizers } = section;
  if (type === "Sequence") return Array.isArray(normalizers) && normalizers.every(leavesAscii);
  return type === "NFC" || type === "NFD" || type === "NFKC" || type === "NFKD";
}

/**
 * Merges of byte-level BPE: of neighbours, the pair of lowest rank first, the leftmost of
 * equals. Read by tokens' text, as the file has them: a table of ids would take a second to make.
 */
class Merges {
  readonly #vocabulary: Readonly<Record<string, unknown>>;
  /** "left right" → place in the file's list. */
  readonly #ranks: ReadonlyMap<string, number>;
  /** A piece that is a token stays whole, whatever the merges say. */
  readonly #wholeFirst: boolean;

  private constructor(
    vocabulary: Readonly<Record<string, unknown>>,
    ranks: ReadonlyMap<string, number>,
    wholeFirst: boolean,
  ) {
    this.#vocabulary = vocabulary;
    this.#ranks = ranks;
    this.#wholeFirst = wholeFirst;
  }

  static read(model: unknown): Merges | undefined {
    if (!isObject(model) || (model["type"] ?? "BPE") !== "BPE") return undefined;
    const { vocab, merges, dropout, continuing_subword_prefix, end_of_word_suffix } = model;
    if (dropout || continuing_subword_prefix || end_of_word_suffix) return undefined;
    if (!isObject(vocab) || !Array.isArray(merges)) return undefined;
    const ranks = new Map<string, number>();
    for (const [rank, merge] of merges.entries()) {
      ranks.set(Array.isArray(merge) ? merge.join(" ") : String(merge), rank);
    }
    return new Merges(vocab, ranks, model["ignore_merges"] === true);
  }

  /** Undefined where a character is no token. */
  apply(piece: string): Ids | undefined {
    const tokens = Array.from(piece, letter);
    const whole = this.#wholeFirst ? this.#id(tokens.join("")) : undefined;
    if (whole !== undefined) return [whole];
    if (tokens.some((token) => this.#id(token) === undefined)) return undefined;
    this.#merge(tokens);
    return tokens.map((token) => this.#id(token) ?? 0);
  }

  #merge(tokens: string[]): void {
    // Of each token and the next one, so that a merge asks for two ranks and not for all.
    const ranks = tokens.map((_, at) => this.#rank(tokens, at));
    for (;;) {
      const best = Math.min(...ranks);
      if (best === NONE) return;
      const at = ranks.indexOf(best);
      tokens.splice(at, 2, `${tokens[at]}${tokens[at + 1]}`);
      ranks.splice(at, 2, this.#rank(tokens, at));
      if (at > 0) ranks[at - 1] = this.#rank(tokens, at - 1);
    }
  }

  #rank(tokens: readonly string[], at: number): number {
    if (at + 1 >= tokens.length) return NONE;
    return this.#ranks.get(`${tokens[at]} ${tokens[at + 1]}`) ?? NONE;
  }

  #id(token: string): number | undefined {
    const id = Object.hasOwn(this.#vocabulary, token) ? this.#vocabulary[token] : undefined;
    return typeof id === "number" ? id : undefined;
  }
}

/** GPT-2's printable letter of an ASCII character's byte. */
function letter(character: string): string {
  const byte = character.charCodeAt(0);
  if (byte > 0x20 && byte < 0x7f) return character;
  return String.fromCharCode(0x100 + (byte === 0x7f ? 0x21 : byte));
}

/** Tokens that are found in the text before anything else is. */
class Added {
  readonly #ids: ReadonlyMap<string, number>;
  readonly #pattern: RegExp | undefined;

  private constructor(ids: ReadonlyMap<string, number>) {
    this.#ids = ids;
    // The longest first: an alternation takes the first that matches, the package the longest.
    const longest = [...ids.keys()].sort((a, b) => b.length - a.length);
    this.#pattern = ids.size === 0 ? undefined : new RegExp(longest.map(escaped).join("|"), "g");
  }

  /** Undefined for tokens that take white space along, stand alone as words, are of both kinds, or many. */
  static read(list: unknown): Added | undefined {
    const ids = new Map<string, number>();
    const normalized = new Set<boolean>();
    for (const token of Array.isArray(list) ? list : []) {
      if (!isObject(token)) return undefined;
      const { content, id, lstrip, rstrip, single_word: word, special } = token;
      if (typeof content !== "string" || typeof id !== "number") return undefined;
      if (lstrip === true || rstrip === true || word === true) return undefined;
      if (ASCII.test(content)) ids.set(content, id);
      else if (ASCII.test(content.normalize("NFKC"))) return undefined;
      normalized.add(
        token["normalized"] === undefined ? special !== true : token["normalized"] === true,
      );
    }
    // The two kinds are looked for one after the other, so that the longest is not always the one found.
    return ids.size > MAX_ADDED || ids.has("") || normalized.size > 1 ? undefined : new Added(ids);
  }

  /** Appends ids of added tokens and has `plain` append those of what lies between; false when it says so. */
  split(text: string, ids: number[], plain: (text: string) => boolean): boolean {
    const pattern = this.#pattern;
    if (pattern === undefined) return text === "" || plain(text);
    let end = 0;
    pattern.lastIndex = 0;
    for (let match = pattern.exec(text); match !== null; match = pattern.exec(text)) {
      const { 0: token, index } = match;
      if (index > end && !plain(text.slice(end, index))) return false;
      ids.push(this.#ids.get(token) ?? 0);
      end = index + token.length;
    }
    return end === text.length || plain(text.slice(end));
  }
}

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&");

/** Special tokens before and after the text. */
interface Around {
  readonly before: Ids;
  readonly after: Ids;
}

const NOTHING: Around = { before: [], after: [] };

function readAround(section: unknown): Around | undefined {
  if (section === undefined || section === null) return NOTHING;
  if (!isObject(section)) return undefined;
  const { type, processors, single, special_tokens: special } = section;
  if (type === "ByteLevel") return NOTHING;
  if (type === "Sequence" && Array.isArray(processors)) {
    const around = processors.map(readAround);
    const known = around.filter((each) => each !== undefined);
    if (known.length < around.length) return undefined;
    return {
      before: known.toReversed().flatMap(({ before }) => before),
      after: known.flatMap(({ after }) => after),
    };
  }
  if (type !== "TemplateProcessing" || !Array.isArray(single) || !isObject(special)) {
    return undefined;
  }
  return readTemplate(single, special);
}

function readTemplate(
  single: readonly unknown[],
  special: Readonly<Record<string, unknown>>,
): Around | undefined {
  const sides: [number[], number[]] = [[], []];
  let side: 0 | 1 = 0;
  for (const item of single) {
    if (!isObject(item)) return undefined;
    const token = isObject(item["SpecialToken"]) ? item["SpecialToken"]["id"] : undefined;
    const entry = typeof token === "string" ? special[token] : undefined;
    const ids = isObject(entry) ? entry["ids"] : undefined;
    if (Array.isArray(ids)) for (const id of ids) sides[side].push(Number(id));
    else if ("Sequence" in item && side === 0) side = 1;
    else return undefined;
  }
  return side === 1 ? { before: sides[0], after: sides[1] } : undefined;
}
