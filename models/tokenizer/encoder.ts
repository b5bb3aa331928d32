/**
 * Text to ids, guarded: every text is checked first (text-limits.ts). Published
 * patterns run in this process, short ASCII texts at once (ascii-encoder.ts), others on
 * the native package's threads, a few large ones at once; the largest texts, and every
 * text of another file, in a process of their own.
 */
import { createHash } from "node:crypto";
import { ModelConfigError } from "../config.ts";
import type { Soon } from "../soon.ts";
import { AsciiEncoder } from "./ascii-encoder.ts";
import { EncoderProcess, EncoderStartError } from "./encoder-process.ts";
import { nativeEncode, nativeTokenizer } from "./native.ts";
import { PROBES } from "./probes.ts";
import { checkText, TextRefusedError } from "./text-limits.ts";

export interface Encoder {
  /** Rejects with TextRefusedError where the text is at fault. */
  encode(text: string, addSpecialTokens: boolean): Soon<Int32Array>;
  /** Throws ModelConfigError where hostile texts end the process that reads the file. */
  probe(): Promise<void>;
}

/** Characters that are read in this process: with more, handing the ids over holds the event loop. */
const MAX_HERE = 250_000;
/** UTF-16 units under way at once in this process; a text of up to `SMALL` never waits. */
const MAX_AT_ONCE = 1_000_000;
const SMALL = 32_000;
/** Processor time for a text of a file that is not trusted. */
const LIMIT_MS = 2_000;
/** More for each character, where the pattern is a published one. */
const MS_PER_CHARACTER = 0.005;

export interface TokenizerFile {
  /** For messages; the file's path where it lies on disk. */
  readonly name: string;
  readonly json: string;
  readonly parsed: Readonly<Record<string, unknown>>;
  readonly onDisk: boolean;
  /** See published.ts. */
  readonly trusted: boolean;
}

/** Throws ModelConfigError. */
export function createEncoder(file: TokenizerFile): Encoder {
  const apart = new EncoderProcess(file.onDisk ? { path: file.name } : { json: file.json });
  return file.trusted ? new TrustedEncoder(file, apart) : new DistrustedEncoder(file, apart);
}

class TrustedEncoder implements Encoder {
  readonly #native: ReturnType<typeof nativeTokenizer>;
  readonly #ascii: AsciiEncoder | undefined;
  readonly #file: TokenizerFile;
  readonly #apart: EncoderProcess;
  readonly #turns = new Turns(MAX_AT_ONCE);

  constructor(file: TokenizerFile, apart: EncoderProcess) {
    this.#file = file;
    this.#apart = apart;
    try {
      this.#native = nativeTokenizer(file.json);
    } catch (cause) {
      throw notTokenizer(file.name, cause);
    }
    this.#ascii = AsciiEncoder.read(file.parsed);
  }

  encode(text: string, addSpecialTokens: boolean): Soon<Int32Array> {
    return this.#ascii?.encode(text, addSpecialTokens) ?? this.#encode(text, addSpecialTokens);
  }

  async #encode(text: string, addSpecialTokens: boolean): Promise<Int32Array> {
    checkText(text);
    const { length } = text;
    if (length > MAX_HERE) {
      const limit = Math.ceil(LIMIT_MS + MS_PER_CHARACTER * length);
      return this.#apart.encode(text, addSpecialTokens, limit);
    }
    if (length <= SMALL) return nativeEncode(this.#native, text, addSpecialTokens);
    return this.#turns.take(length, () => nativeEncode(this.#native, text, addSpecialTokens));
  }

  async probe(): Promise<void> {
    await probe(this.#apart, this.#file);
    this.#apart.stop();
  }
}

class DistrustedEncoder implements Encoder {
  readonly #file: TokenizerFile;
  readonly #apart: EncoderProcess;

  constructor(file: TokenizerFile, apart: EncoderProcess) {
    this.#file = file;
    this.#apart = apart;
  }

  async encode(text: string, addSpecialTokens: boolean): Promise<Int32Array> {
    checkText(text);
    return this.#apart.encode(text, addSpecialTokens, LIMIT_MS);
  }

  probe(): Promise<void> {
    return probe(this.#apart, this.#file);
  }
}

/** Files that have passed in this process, by their hash. */
const passed = new Set<string>();

/** The process stays, so that the first request finds it ready. */
async function probe(apart: EncoderProcess, { name: file, json }: TokenizerFile): Promise<void> {
  const hash = createHash("sha256").update(json).digest("hex");
  if (passed.has(hash)) return;
  for (const [name, text] of PROBES) {
    try {
      await apart.encode(text, false, LIMIT_MS);
    } catch (error) {
      // What is only slow is refused text by text.
      if (error instanceof TextRefusedError && error.slow) continue;
      apart.stop();
      if (error instanceof EncoderStartError) throw notTokenizer(file, error);
      if (!(error instanceof TextRefusedError)) throw error;
      throw new ModelConfigError(
        `${file}: its tokenizer cannot be served: ${name} end it (${error.message})`,
        { cause: error },
      );
    }
  }
  passed.add(hash);
}

function notTokenizer(file: string, cause: unknown): ModelConfigError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new ModelConfigError(`${file}: not a tokenizer: ${why}`, { cause });
}

/** Lets work of so much size run at once; what is larger than all of it runs alone. */
class Turns {
  readonly #capacity: number;
  readonly #waiting: { readonly size: number; readonly go: () => void }[] = [];
  #used = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  async take<T>(size: number, work: () => Promise<T>): Promise<T> {
    if (this.#waiting.length > 0 || !this.#fits(size)) {
      await new Promise<void>((go) => this.#waiting.push({ size, go }));
    }
    this.#used += size;
    try {
      return await work();
    } finally {
      this.#used -= size;
      this.#admit();
    }
  }

  #admit(): void {
    const [first] = this.#waiting;
    if (first === undefined || !this.#fits(first.size)) return;
    this.#waiting.shift();
    first.go();
  }

  #fits(size: number): boolean {
    return this.#used === 0 || this.#used + size <= this.#capacity;
  }
}
