/**
 * Tries a grammar before it is let in: walks it at random (seeded) to find one whose
 * states or masks grow out of hand here rather than while an answer is generated.
 */
import { Automaton } from "./automaton.ts";
import { MASK_WORK, SequenceBudget, ThreadBudget } from "./budget.ts";
import { CompiledGrammar } from "./constraint.ts";
import type { GrammarTable } from "./table.ts";
import type { Vocabulary } from "./vocabulary.ts";

/** Byte by byte: far, and cheap. */
const WALKS = 6;
const STEPS = 160;
/** Token by token, with the mask of each place. */
const TOKEN_WALKS = 3;
const TOKEN_STEPS = 10;
/** Nodes of the vocabulary looked at in all: a walk ends where this is spent. */
const TOKEN_NODES = 1_500_000;

const BYTES: readonly number[] = Array.from({ length: 256 }, (_, byte) => byte);

/** Throws GrammarError. */
export function walkBytes(grammar: GrammarTable): void {
  const automaton = new Automaton(grammar);
  const random = randomOf(1);
  for (let walk = 0; walk < WALKS; walk++) {
    let state = automaton.start;
    for (let step = 0; step < STEPS; step++) {
      const leaf = state.leaves[random(state.leaves.length)];
      if (leaf === undefined) break;
      const taken = BYTES.filter((byte) => automaton.takes(leaf, byte));
      automaton.workLimit = automaton.work + MASK_WORK;
      const next = automaton.step(state, taken[random(taken.length)] ?? 0);
      if (next === undefined) break;
      state = next;
    }
  }
}

/** Throws GrammarError. */
export function firstMask(table: GrammarTable, vocabulary: Vocabulary): Int32Array {
  const grammar = new CompiledGrammar(table, vocabulary, new Unhurried());
  return grammar.mask(grammar.automaton.start, new SequenceBudget());
}

/** Throws GrammarError. */
export function walkTokens(table: GrammarTable, vocabulary: Vocabulary): void {
  const grammar = new CompiledGrammar(table, vocabulary, new Unhurried());
  grammar.seed(firstMask(table, vocabulary));
  const random = randomOf(7);
  for (let walk = 0; walk < TOKEN_WALKS; walk++) {
    const budget = new SequenceBudget();
    let state = grammar.automaton.start;
    for (let step = 0; step < TOKEN_STEPS && grammar.scanned < TOKEN_NODES; step++) {
      const allowed = idsOf(grammar.mask(state, budget));
      // Every other time a short one: a model says those more often.
      const id = allowed[random(step % 2 === 0 ? allowed.length : Math.min(allowed.length, 64))];
      const next = id === undefined ? undefined : grammar.after(state, id, budget);
      if (next === undefined) break;
      budget.earn();
      state = next;
    }
  }
}

/** No other work waits for this thread. */
class Unhurried extends ThreadBudget {
  override spend(): void {}
}

function idsOf(mask: Int32Array): readonly number[] {
  const ids: number[] = [];
  for (const [word, bits] of mask.entries()) {
    if (bits === 0) continue;
    for (let bit = 0; bit < 32; bit++) if ((bits >>> bit) & 1) ids.push(word * 32 + bit);
  }
  return ids;
}

/** Whole numbers below a limit, 0 where there are none. */
function randomOf(start: number): (limit: number) => number {
  let seed = start;
  return (limit) => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
    return (seed >>> 8) % Math.max(1, limit);
  };
}
