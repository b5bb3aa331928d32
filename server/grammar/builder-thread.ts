/** Thread entry: builds grammars one at a time, so that a hostile one stops nobody. */
import { parentPort } from "node:worker_threads";
import { Automaton } from "./automaton.ts";
import { GrammarError, hasByte, type Node } from "./grammar.ts";
import { buildGrammar, type GrammarSpec } from "./spec.ts";
import { type FlatNode, flatten } from "./wire.ts";

export type BuildAnswer =
  | { readonly ok: true; readonly grammar: readonly FlatNode[] }
  /** `refused`: the client's fault; otherwise a bug of ours. */
  | { readonly ok: false; readonly refused: boolean; readonly message: string };

const port = parentPort;
port?.postMessage("ready");
port?.on("message", (text: string) => {
  port.postMessage(answer(JSON.parse(text) as GrammarSpec)); // written by specText
});

function answer(spec: GrammarSpec): BuildAnswer {
  try {
    const root = buildGrammar(spec);
    tryOut(root);
    return { ok: true, grammar: flatten(root) };
  } catch (error) {
    const refused = error instanceof GrammarError || error instanceof RangeError;
    return { ok: false, refused, message: error instanceof Error ? error.message : String(error) };
  }
}

const WALKS = 6;
const STEPS = 160;

/**
 * Walks the grammar at random (seeded) to find one whose states grow out of hand
 * here rather than while an answer is generated.
 */
function tryOut(root: Node): void {
  const automaton = new Automaton(root);
  let seed = 1;
  for (let walk = 0; walk < WALKS; walk++) {
    let state = automaton.start;
    for (let step = 0; step < STEPS; step++) {
      seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
      const leaf = state.leaves[(seed >>> 8) % Math.max(1, state.leaves.length)]?.node;
      if (leaf?.kind !== "bytes") break;
      const taken = Array.from({ length: 256 }, (_, byte) => byte).filter((byte) =>
        hasByte(leaf.set, byte),
      );
      const next = automaton.step(state, taken[(seed >>> 16) % taken.length] ?? 0);
      if (next === undefined) break;
      state = next;
    }
  }
}
