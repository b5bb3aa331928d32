/**
 * The texts that two regular grammars share (a pattern and a length, two patterns),
 * or that one has and the other has not, as a grammar: the product of their
 * automata, one rule for each pair of states.
 */
import { entryAt } from "../entry-at.ts";
import { Automaton, type State } from "./automaton.ts";
import {
  alt,
  bytes,
  EMPTY,
  GrammarError,
  NEVER,
  type Node,
  type Rule,
  ref,
  seq,
} from "./grammar.ts";

/** Pairs of states at most; a grammar that is not regular never ends before it. */
const MAX_PAIRS = 8_000;

/** NEVER where they share none. */
export function intersect(a: Node, b: Node): Node {
  if (a === NEVER || b === NEVER) return NEVER;
  return product(a, b, (second) => second?.ends === true, false);
}

/** The texts of `a` that are none of `b`, which must be regular too. */
export function subtract(a: Node, b: Node): Node {
  if (a === NEVER || b === NEVER) return a;
  return product(a, b, (second) => second?.ends !== true, true);
}

/** `alone`: goes on where only `a` can, the second state then absent. */
function product(
  a: Node,
  b: Node,
  ends: (second: State | undefined) => boolean,
  alone: boolean,
): Node {
  type Pair = readonly [State, State | undefined];
  const left = new Automaton(a);
  const right = new Automaton(b);
  const rules = new Map<string, { readonly rule: Rule; readonly pair: Pair }>();
  const ruleOf = (pair: Pair): Rule => {
    const key = `${pair[0].index},${pair[1]?.index ?? ""}`;
    let entry = rules.get(key);
    if (entry === undefined) {
      if (rules.size >= MAX_PAIRS) throw new GrammarError("its conditions together are too large");
      entry = { rule: { name: key, body: undefined }, pair };
      rules.set(key, entry);
    }
    return entry.rule;
  };
  const classes = byteClasses(left, right);
  const start = ruleOf([left.start, right.start]);
  let found = false;
  // A Map yields what is added while it is walked.
  for (const { rule, pair } of rules.values()) {
    const [first, second] = pair;
    const ranges = new Map<Rule, [number, number][]>();
    for (const [byte = 0, ...alike] of classes) {
      const next = left.step(first, byte);
      const other = next && second && right.step(second, byte);
      if (next === undefined || (other === undefined && !alone)) continue;
      const target = ruleOf([next, other]);
      const list = ranges.get(target) ?? [];
      ranges.set(target, list);
      for (const one of [byte, ...alike]) list.push([one, one]);
    }
    const steps = [...ranges].map(([target, list]) => seq(bytes(...list), ref(target)));
    const over = first.ends && ends(second);
    found ||= over;
    rule.body = over ? alt(EMPTY, ...steps) : alt(...steps);
  }
  return found ? ref(start) : NEVER;
}

/** Bytes that neither tells apart: one of each list stands for all. */
function byteClasses(a: Automaton, b: Automaton): readonly (readonly number[])[] {
  const classes = new Map<number, number[]>();
  for (let byte = 0; byte < 256; byte++) {
    const key = 256 * entryAt(a.grammar.classOf, byte) + entryAt(b.grammar.classOf, byte);
    const alike = classes.get(key) ?? [];
    classes.set(key, alike);
    alike.push(byte);
  }
  return [...classes.values()];
}
