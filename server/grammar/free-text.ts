/**
 * Text up to the first of some marks, as a grammar: the marks' Aho-Corasick
 * automaton with a rule for each state, so that text is free but a mark, once
 * written, leads where it must.
 */
import { alt, bytes, EMPTY, GrammarError, type Node, type Rule, ref, seq } from "./grammar.ts";

interface State {
  readonly next: Map<number, State>;
  fail: State | undefined;
  /** What follows the mark that is complete here. */
  after: Node | undefined;
  readonly rule: Rule;
}

export interface Mark {
  readonly text: string;
  /** What must follow it; may refer to `again`. */
  readonly after: (again: Node) => Node;
}

export interface FreeTextOptions {
  /** May the text end before any mark? */
  readonly mayEnd: boolean;
}

/** `again` in a mark's `after` is this same text from its beginning. */
export function freeText(marks: readonly Mark[], options: FreeTextOptions): Node {
  const create = (): State => ({
    next: new Map(),
    fail: undefined,
    after: undefined,
    rule: { name: "text", body: undefined },
  });
  const root = create();
  const states = [root];
  const again = ref(root.rule);
  for (const mark of marks) {
    if (mark.text === "") throw new GrammarError("a trigger or an end may not be empty");
    let state = root;
    for (const byte of new TextEncoder().encode(mark.text)) {
      let child = state.next.get(byte);
      if (child === undefined) {
        child = create();
        states.push(child);
        state.next.set(byte, child);
      }
      state = child;
    }
    if (state.after !== undefined)
      throw new GrammarError(`the trigger ${JSON.stringify(mark.text)} is given twice`);
    state.after = mark.after(again);
  }
  linkFailures(root);
  for (const state of states)
    if (state.after === undefined) state.rule.body = textFrom(state, root, options.mayEnd);
  return again;
}

function linkFailures(root: State): void {
  const queue = [root];
  // An array yields what is pushed while it is walked.
  for (const state of queue) {
    for (const [byte, child] of state.next) {
      child.fail = state === root ? root : target(state.fail ?? root, byte, root);
      child.after ??= child.fail.after;
      queue.push(child);
    }
  }
}

function target(state: State, byte: number, root: State): State {
  for (let at: State | undefined = state; at !== undefined; at = at.fail) {
    const next = at.next.get(byte);
    if (next !== undefined) return next;
  }
  return root;
}

function textFrom(state: State, root: State, mayEnd: boolean): Node {
  const ranges = new Map<State, [number, number][]>();
  for (let byte = 0; byte < 256; byte++) {
    const next = target(state, byte, root);
    const list = ranges.get(next);
    if (list === undefined) ranges.set(next, [[byte, byte]]);
    else list.push([byte, byte]);
  }
  const steps = [...ranges].map(([next, list]) =>
    seq(bytes(...list), next.after ?? ref(next.rule)),
  );
  return mayEnd ? alt(EMPTY, ...steps) : alt(...steps);
}
