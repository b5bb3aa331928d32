/** Two texts as one: what tokenizer.json's post-processor puts around and between them. */
import { isObject } from "../config.ts";
import type { JoinedPair } from "../model.ts";

/** A part of the whole: one of the texts, or ids of special tokens. */
interface Part {
  readonly text?: "A" | "B";
  readonly ids: readonly number[];
  /** Of the second text, to models that tell them apart. */
  readonly second: boolean;
}

export class PairTemplate {
  readonly #parts: readonly Part[];

  /** `processor`: as in tokenizer.json; one that adds nothing sets the second behind the first. */
  constructor(processor: unknown) {
    this.#parts = partsOf(processor) ?? [text("A", 0), text("B", 1)];
  }

  /** `most`: of the longer text so much is cut that the whole is no longer. */
  join(first: Int32Array, second: Int32Array, most = Number.POSITIVE_INFINITY): JoinedPair {
    const special = this.#parts.reduce((sum, { ids }) => sum + ids.length, 0);
    const room = Math.max(0, most - special);
    const [a, b] = longestFirst(first.length, second.length, room);
    const ids: number[] = [];
    let secondFrom: number | undefined;
    for (const part of this.#parts) {
      if (part.second) secondFrom ??= ids.length;
      ids.push(...part.ids);
      if (part.text === "A") for (const id of first.subarray(0, a)) ids.push(id);
      if (part.text === "B") for (const id of second.subarray(0, b)) ids.push(id);
    }
    return { ids: Int32Array.from(ids), ...(secondFrom !== undefined && { secondFrom }) };
  }
}

/** What is left of two texts in so much room: as the package's strategy of that name. */
function longestFirst(first: number, second: number, room: number): readonly [number, number] {
  if (first + second <= room) return [first, second];
  const short = Math.min(first, second);
  let [kept, longer] = [short, short > room ? short : Math.max(short, room - short)];
  if (kept + longer > room) {
    kept = Math.floor(room / 2);
    longer = kept + (room % 2);
  }
  return first <= second ? [kept, longer] : [longer, kept];
}

const text = (which: "A" | "B", type: number): Part => ({ text: which, ids: [], second: type > 0 });

function partsOf(processor: unknown): readonly Part[] | undefined {
  if (!isObject(processor)) return undefined;
  const { processors, pair, special_tokens: tokens, cls, sep } = processor;
  if (Array.isArray(processors)) {
    return processors.map(partsOf).find((parts) => parts !== undefined);
  }
  if (Array.isArray(pair)) return pair.filter(isObject).map((part) => templated(part, tokens));
  const [first, last] = [cls, sep].map((token) => (Array.isArray(token) ? Number(token[1]) : NaN));
  if (first === undefined || last === undefined || Number.isNaN(first + last)) return undefined;
  const mark = (id: number, type: number): Part => ({ ids: [id], second: type > 0 });
  // RobertaProcessing knows one type, and sets two marks between.
  return processor["type"] === "RobertaProcessing"
    ? [mark(first, 0), text("A", 0), mark(last, 0), mark(last, 0), text("B", 0), mark(last, 0)]
    : [mark(first, 0), text("A", 0), mark(last, 0), text("B", 1), mark(last, 1)];
}

function templated(part: Readonly<Record<string, unknown>>, tokens: unknown): Part {
  const { Sequence: sequence, SpecialToken: special } = part;
  if (isObject(sequence))
    return text(sequence["id"] === "B" ? "B" : "A", Number(sequence["type_id"]));
  const named = isObject(special) ? special : {};
  const known = isObject(tokens) ? tokens[String(named["id"])] : undefined;
  const ids = isObject(known) && Array.isArray(known["ids"]) ? known["ids"].map(Number) : [];
  return { ids, second: Number(named["type_id"]) > 0 };
}
