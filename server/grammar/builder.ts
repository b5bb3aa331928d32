/**
 * Builds grammars in a thread of its own, under a time limit. Requests that already
 * run hold finished grammars and notice nothing when it must be replaced.
 */
import { GuardedThread, type ThreadLimits, ThreadTaskError } from "../generation/guarded-thread.ts";
import type { BuildAnswer } from "./builder-thread.ts";
import { GrammarError, type Node } from "./grammar.ts";
import { type GrammarSpec, specText } from "./spec.ts";
import { unflatten } from "./wire.ts";

export class GrammarBuilder {
  readonly #thread: GuardedThread<string, BuildAnswer>;

  constructor(limits: ThreadLimits) {
    this.#thread = new GuardedThread("./builder-thread", import.meta.url, limits);
  }

  /** Threads that had to be replaced. */
  get replaced(): number {
    return this.#thread.replaced;
  }

  /** Rejects with GrammarError where the client is at fault. */
  async build(spec: GrammarSpec): Promise<Node> {
    const text = specText(spec);
    let answer: BuildAnswer;
    try {
      answer = await this.#thread.run(text);
    } catch (error) {
      throw error instanceof ThreadTaskError
        ? new GrammarError(`${error.message} to compile`)
        : error;
    }
    if (answer.ok) return unflatten(answer.grammar);
    throw answer.refused ? new GrammarError(answer.message) : new Error(answer.message);
  }

  close(): Promise<void> {
    return this.#thread.close();
  }
}
