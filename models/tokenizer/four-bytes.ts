/**
 * A tokenizer for ids that mean nothing: four bytes of text are a token, and a token
 * is four letters. Load generators send text; where values are synthetic this counts it,
 * and like texts share like ids, so that prefixes are still found in the cache.
 */
import type { Decoder, Tokenizer } from "../model.ts";
import { createChatTemplate } from "./chat-template.ts";

const BYTES = 4;
const LETTERS = 26;
const UTF8 = new TextEncoder();

/** Messages one after the other, as text. */
const TEMPLATE =
  "{% for message in messages %}{{ message.role }}: {{ message.content }}\n{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}";

export const plainChatTemplate = createChatTemplate({
  templates: new Map([["default", TEMPLATE]]),
  tokens: {},
});

export class FourByteTokenizer implements Tokenizer {
  readonly vocabSize: number;
  readonly specialIds: ReadonlySet<number> = new Set();

  /** `vocabSize`: ids are below it. */
  constructor(vocabSize: number) {
    this.vocabSize = vocabSize;
  }

  async encode(text: string): Promise<Int32Array> {
    const bytes = UTF8.encode(text);
    const ids = new Int32Array(Math.ceil(bytes.length / BYTES));
    for (let at = 0; at < ids.length; at++) {
      let hash = 0x811c9dc5; // FNV-1a
      for (const byte of bytes.subarray(at * BYTES, (at + 1) * BYTES))
        hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
      ids[at] = hash % this.vocabSize;
    }
    return ids;
  }

  bytes(id: number): Uint8Array {
    return UTF8.encode(this.token(id) ?? "");
  }

  /** Three letters and a space. */
  token(id: number): string | undefined {
    if (id < 0 || id >= this.vocabSize) return undefined;
    const letter = (place: number): string =>
      String.fromCharCode(97 + (Math.floor(id / LETTERS ** place) % LETTERS));
    return `${letter(0)}${letter(1)}${letter(2)} `;
  }

  id(): undefined {
    return undefined;
  }

  decode(ids: readonly number[] | Int32Array): string {
    return Array.from(ids, (id) => this.token(id) ?? "").join("");
  }

  decoder(): Decoder {
    return { push: (id) => this.token(id) ?? "", end: () => "" };
  }
}
