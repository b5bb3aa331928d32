/**
 * The texts that two regular grammars share (a pattern and a length, two patterns),
 * as a grammar: the product of their automata, one rule for each pair of states.
 */
import { Automaton, type State } from "./automaton.ts";
import { alt, bytes, EMPTY, GrammarError, type Node, type Rule, ref, seq } from "./grammar.ts";

/** Pairs of states at most; a grammar that is not regular never ends before it. */
const MAX_PAIRS = 6_000;

export function intersect(a: Node, b: Node): Node {
  const left = new Automaton(a);
  const right = new Automaton(b);
  const rules = new Map<string, { readonly rule: Rule; readonly pair: readonly [State, State] }>();
  const ruleOf = (pair: readonly [State, State]): Rule => {
    const key = `${pair[0].id},${pair[1].id}`;
    let entry = rules.get(key);
    if (entry === undefined) {
      if (rules.size >= MAX_PAIRS) throw new GrammarError("its conditions together are too large");
      entry = { rule: { name: key, body: undefined }, pair };
      rules.set(key, entry);
    }
    return entry.rule;
  };
  const start = ruleOf([left.start, right.start]);
  // A Map yields what is added while it is walked.
  for (const { rule, pair } of rules.values()) {
    const ranges = new Map<Rule, [number, number][]>();
    for (let byte = 0; byte < 256; byte++) {
      const next = left.step(pair[0], byte);
      const other = next === undefined ? undefined : right.step(pair[1], byte);
      if (next === undefined || other === undefined) continue;
      const target = ruleOf([next, other]);
      const list = ranges.get(target);
      if (list === undefined) ranges.set(target, [[byte, byte]]);
      else list.push([byte, byte]);
    }
    const steps = [...ranges].map(([target, list]) => seq(bytes(...list), ref(target)));
    rule.body = pair[0].ends && pair[1].ends ? alt(EMPTY, ...steps) : alt(...steps);
  }
  return ref(start);
}
