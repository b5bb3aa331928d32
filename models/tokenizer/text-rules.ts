/**
 * How a vocabulary's tokens become bytes: the `decoder` of tokenizer.json,
 * reduced to rules that need no look-ahead, so that text can be streamed.
 *
 * | decoder in the file            | rule                                           |
 * |--------------------------------|------------------------------------------------|
 * | ByteLevel                      | each character stands for a byte (GPT-2's map) |
 * | Replace (a string)             | within the token                               |
 * | ByteFallback                   | `<0xNN>` is that byte                          |
 * | Metaspace                      | ▁ is a space, nothing in the first token       |
 * | WordPiece                      | a space before it, or its prefix taken off     |
 * | Strip before Fuse; after Fuse  | within the token; at the text's beginning      |
 * | none                           | a space between tokens                         |
 */
import { type ConfigReader, isObject, ModelConfigError } from "../config.ts";
import type { Replacement } from "./utf8.ts";

export interface TextRules {
  /** Bytes of a token; `first`: nothing stands before it. */
  bytes(token: string, first: boolean): Uint8Array;
  /** Does a token read otherwise when it is the first? */
  readonly firstDiffers: boolean;
  /** Characters taken off the text's beginning: at most `count` times `content`. */
  readonly strip?: { readonly content: string; readonly count: number };
  readonly replacement: Replacement;
}

/** A token on its way: text until a step knows its bytes. */
type Piece = string | Uint8Array;
type Step = (piece: Piece, first: boolean) => Piece;

interface Draft {
  readonly steps: Step[];
  fused: boolean;
  firstDiffers: boolean;
  strip?: { readonly content: string; readonly count: number };
  replacement: Replacement;
}

const UTF8 = new TextEncoder();

/** Reads the `decoder` section; null or absent joins tokens by spaces. Throws ModelConfigError for one that cannot be streamed. */
export function readTextRules(file: ConfigReader): TextRules {
  const draft: Draft = { steps: [], fused: false, firstDiffers: false, replacement: "part" };
  const section = file.section("decoder");
  if (section) addDecoder(draft, section);
  else {
    draft.firstDiffers = true;
    draft.steps.push(onText((text, first) => (first ? text : ` ${text}`)));
  }
  const { steps, firstDiffers, strip, replacement } = draft;
  return {
    bytes: (token, first) => {
      const piece = steps.reduce<Piece>((value, step) => step(value, first), token);
      return typeof piece === "string" ? UTF8.encode(piece) : piece;
    },
    firstDiffers,
    replacement,
    ...(strip && { strip }),
  };
}

function addDecoder(draft: Draft, section: ConfigReader): void {
  const type = section.string("type");
  switch (type) {
    case "Sequence": {
      const list = section.raw("decoders");
      if (!Array.isArray(list)) section.fail("decoders", "a list");
      for (const [index, item] of list.entries()) {
        if (!isObject(item)) section.fail("decoders", "a list of objects");
        addDecoder(draft, section.inside(`decoders.${index}`, item));
      }
      return;
    }
    case "ByteLevel":
      draft.steps.push(fromByteLevel);
      return;
    case "ByteFallback":
      draft.replacement = "byte";
      draft.steps.push(fromByteFallback);
      return;
    case "Fuse":
      draft.fused = true;
      return;
    case "Replace":
      addReplace(draft, section);
      return;
    case "Metaspace":
      addMetaspace(draft, section);
      return;
    case "Strip":
      addStrip(draft, section);
      return;
    case "WordPiece":
      addWordPiece(draft, section);
      return;
    default:
      throw new ModelConfigError(
        `${section.file}: decoder "${type}" is not supported: its text cannot be streamed here`,
      );
  }
}

function addReplace(draft: Draft, section: ConfigReader): void {
  const pattern = section.section("pattern");
  const content = section.string("content");
  const plain = pattern?.has("String") ? pattern.string("String") : undefined;
  if (plain === undefined || (draft.fused && [...plain].length !== 1))
    section.fail("pattern", "a String (of one character after Fuse)");
  draft.steps.push(onText((text) => text.replaceAll(plain, content)));
}

function addMetaspace(draft: Draft, section: ConfigReader): void {
  const mark = section.string("replacement", "▁");
  // Older files say add_prefix_space instead of prepend_scheme.
  const always = section.boolean("add_prefix_space", true) ? "always" : "never";
  const prepends = section.string("prepend_scheme", always) !== "never";
  draft.firstDiffers ||= prepends;
  draft.steps.push(onText((text, first) => text.replaceAll(mark, first && prepends ? "" : " ")));
}

function addStrip(draft: Draft, section: ConfigReader): void {
  const content = section.string("content");
  const start = section.integer("start", 0, 0);
  const stop = section.integer("stop", 0, 0);
  if (!draft.fused) {
    draft.steps.push(onText((text) => stripText(text, content, start, stop)));
    return;
  }
  if (stop > 0) section.fail("stop", "0 after Fuse: the end of a stream is not known");
  if (start > 0) draft.strip = { content, count: start };
}

function addWordPiece(draft: Draft, section: ConfigReader): void {
  const prefix = section.string("prefix", "##");
  const cleanup = section.boolean("cleanup", true);
  draft.firstDiffers = true;
  draft.steps.push(
    onText((text, first) => {
      const joined = first
        ? text
        : text.startsWith(prefix)
          ? text.slice(prefix.length)
          : ` ${text}`;
      return cleanup
        ? CLEANUPS.reduce((done, [from, to]) => done.replaceAll(from, to), joined)
        : joined;
    }),
  );
}

/** Spaces that WordPiece puts before punctuation and contractions, as the library takes them away. */
const CLEANUPS: readonly (readonly [string, string])[] = [
  [" .", "."],
  [" ?", "?"],
  [" !", "!"],
  [" ,", ","],
  [" ' ", "'"],
  [" n't", "n't"],
  [" 'm", "'m"],
  [" do not", " don't"],
  [" 's", "'s"],
  [" 've", "'ve"],
  [" 're", "'re"],
];

function stripText(text: string, content: string, start: number, stop: number): string {
  let begin = 0;
  while (begin < start && text.startsWith(content, begin * content.length)) begin++;
  let rest = text.slice(begin * content.length);
  for (let i = 0; i < stop && rest.endsWith(content); i++) rest = rest.slice(0, -content.length);
  return rest;
}

function onText(change: (text: string, first: boolean) => string): Step {
  return (piece, first) => (typeof piece === "string" ? change(piece, first) : piece);
}

/** A token with a character outside the map (an added token) stands for its own UTF-8. */
const fromByteLevel: Step = (piece) => {
  if (typeof piece !== "string") return piece;
  const bytes = new Uint8Array(piece.length);
  for (let i = 0; i < piece.length; i++) {
    const byte = BYTE_OF[piece.charCodeAt(i)];
    if (byte === undefined || byte < 0) return UTF8.encode(piece);
    bytes[i] = byte;
  }
  return bytes;
};

const fromByteFallback: Step = (piece) => {
  if (typeof piece !== "string") return piece;
  const hex = /^<0x([0-9A-Fa-f]{2})>$/.exec(piece)?.[1];
  return hex === undefined ? piece : Uint8Array.of(Number.parseInt(hex, 16));
};

/**
 * Byte of each character of GPT-2's printable alphabet, −1 for none: bytes that
 * print in Latin-1 stand for themselves, the others follow from U+0100 on.
 * Radford et al. 2019, `bytes_to_unicode`.
 */
const BYTE_OF: Int16Array = (() => {
  const table = new Int16Array(0x144).fill(-1);
  let next = 0x100;
  for (let byte = 0; byte < 256; byte++) {
    const prints = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    table[prints ? byte : next++] = byte;
  }
  return table;
})();
