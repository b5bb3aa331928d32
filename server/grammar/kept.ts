/** Grammars kept for requests that ask for the same again: those last used. */
import type { CompiledGrammar } from "./constraint.ts";

export interface KeptLimits {
  readonly grammars: number;
  /** Of their tables, which nothing but the end of a grammar gives back. */
  readonly tableBytes: number;
}

const LIMITS: KeptLimits = { grammars: 32, tableBytes: 64 * 2 ** 20 };

interface Kept {
  readonly grammar: Promise<CompiledGrammar>;
  /** 0 until it is built. */
  bytes: number;
}

export class KeptGrammars {
  /** By specification, the last used last: a Map keeps the order of insertion. */
  readonly #kept = new Map<string, Kept>();
  readonly #limits: KeptLimits;

  constructor(limits: KeptLimits = LIMITS) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#kept.size;
  }

  /** Those who want the same at the same time wait for the same. What fails is not kept. */
  get(key: string, build: () => Promise<CompiledGrammar>): Promise<CompiledGrammar> {
    const kept = this.#kept.get(key) ?? this.#begin(key, build());
    this.#kept.delete(key);
    this.#kept.set(key, kept);
    this.#trim();
    return kept.grammar;
  }

  #begin(key: string, grammar: Promise<CompiledGrammar>): Kept {
    const kept = { grammar, bytes: 0 };
    grammar.then(
      ({ tableBytes }) => {
        kept.bytes = tableBytes;
        this.#trim();
      },
      () => {
        if (this.#kept.get(key) === kept) this.#kept.delete(key);
      },
    );
    return kept;
  }

  /** The last used stays, however large it is. */
  #trim(): void {
    const { grammars, tableBytes } = this.#limits;
    let bytes = 0;
    for (const kept of this.#kept.values()) bytes += kept.bytes;
    for (const [key, kept] of this.#kept) {
      const few = this.#kept.size <= grammars && bytes <= tableBytes;
      if (few || this.#kept.size === 1) return;
      this.#kept.delete(key);
      bytes -= kept.bytes;
    }
  }
}
