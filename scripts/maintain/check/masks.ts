/**
 * The longest that one mask holds up the engine's thread at a large vocabulary: schemas of the
 * suites and grammars that are hard on masks (mask-cases.ts), each followed along a text it allows and along a
 * random one. Time is the processor's of that thread (Linux), the lesser of two runs, so that a busy machine changes it
 * little; work is counted beside it, in nodes of the vocabulary's trie and ways of the grammar.
 *
 *     npx tsx scripts/maintain/check/masks.ts [--tokenizer qwen3] [--every 20] [--limit 30] [--show 5]
 *
 * `--every`: only each n-th schema. The first mask of a grammar is found in another thread and is
 * left out. The exit code is 1 where a mask takes longer than `--limit` ms.
 * Data: `tokenizers` and `json-schema-*` under TRAINYARD_DATA (default ../shared/data).
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { gunzipSync } from "node:zlib";
import { SequenceBudget } from "../../../server/grammar/budget.ts";
import { CompiledGrammar } from "../../../server/grammar/constraint.ts";
import { GrammarError, type Node } from "../../../server/grammar/grammar.ts";
import { compileSchema } from "../../../server/grammar/schema/compile.ts";
import type { Schema } from "../../../server/grammar/schema/flat.ts";
import { buildGrammar, specText } from "../../../server/grammar/spec.ts";
import { layOutGrammar } from "../../../server/grammar/table.ts";
import { firstMask } from "../../../server/grammar/try-out.ts";
import type { Vocabulary } from "../../../server/grammar/vocabulary.ts";
import { HARD_CASES } from "./mask-cases.ts";
import { readVocabulary } from "./read-vocabulary.ts";
import { SUITES, schemaData } from "./schemas.ts";

/** Ids of one random text. */
const STEPS = 40;

interface Case {
  readonly name: string;
  readonly node: () => Node;
  /** A text it allows. */
  readonly text?: string;
}

interface MaskCost {
  readonly name: string;
  readonly ms: number;
  readonly nodes: number;
  readonly ways: number;
  readonly after: string;
}

function cases(every: number): Case[] {
  const found: Case[] = [
    ...HARD_CASES.map(({ spec, text }) => ({
      name: `${spec.kind} ${specText(spec).slice(0, 80)}`,
      node: () => buildGrammar(spec),
      text,
    })),
    { name: "any JSON object", node: () => compileSchema({ type: "object" }) },
    {
      name: "any JSON",
      node: () => compileSchema(true),
      text: '{"a":[1,2,{"x":"hello"}],"y":{"z":null}}',
    },
  ];
  for (const suite of Object.keys(SUITES) as (keyof typeof SUITES)[]) {
    const file = schemaData(suite);
    if (!existsSync(file)) continue;
    const lines = gunzipSync(readFileSync(file)).toString("utf8").trim().split("\n");
    for (const line of lines.filter((_, at) => at % every === 0)) {
      const group = JSON.parse(line) as {
        readonly description: string;
        readonly schema: Schema;
        readonly tests: readonly { readonly valid: boolean; readonly data: unknown }[];
      }; // our data sets
      const fine = group.tests.find(({ valid }) => valid);
      found.push({
        name: `${suite}: ${group.description}`,
        node: () => compileSchema(group.schema),
        ...(fine && { text: JSON.stringify(fine.data) }),
      });
    }
  }
  return found;
}

/** Ids of a text, the longest token first. */
function idsOf(text: string, byText: ReadonlyMap<string, number>, longest: number): number[] {
  const bytes = Buffer.from(text);
  const ids: number[] = [];
  for (let at = 0; at < bytes.length; ) {
    let length = Math.min(longest, bytes.length - at);
    let id: number | undefined;
    for (; length > 0 && id === undefined; length--) {
      id = byText.get(bytes.subarray(at, at + length).toString("latin1"));
    }
    if (id === undefined) return ids;
    ids.push(id);
    at += length + 1;
  }
  return ids;
}

/** One of the ids of a mask; undefined: there is none. */
function pick(mask: Int32Array, random: () => number): number | undefined {
  const from = Math.floor(random() * mask.length);
  for (let k = 0; k < mask.length; k++) {
    const word = (from + k) % mask.length;
    const bits = mask[word] ?? 0;
    const start = Math.floor(random() * 32);
    for (let j = 0; bits !== 0 && j < 32; j++) {
      const bit = (start + j) % 32;
      if ((bits >>> bit) & 1) return 32 * word + bit;
    }
  }
  return undefined;
}

/** mulberry32. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Nodes of the trie, and steps that spare others. */
const looksOf = ({ scanned, walked }: CompiledGrammar): number => scanned + walked;

/** Costs of all masks but the first along a text, or along what `random` picks. */
function follow(
  {
    name,
    grammar,
    vocabulary,
  }: { readonly name: string; readonly grammar: CompiledGrammar; readonly vocabulary: Vocabulary },
  ids: readonly number[] | (() => number),
): MaskCost[] {
  const costs: MaskCost[] = [];
  const budget = new SequenceBudget();
  let state = grammar.automaton.start;
  let after = "";
  for (let step = 0; step < (typeof ids === "function" ? STEPS : ids.length); step++) {
    const [nodes, ways] = [looksOf(grammar), grammar.automaton.work];
    const began = threadMs();
    const mask = grammar.mask(state, budget);
    const cost = { name, ms: threadMs() - began, after: after.slice(-40) };
    costs.push({ ...cost, nodes: looksOf(grammar) - nodes, ways: grammar.automaton.work - ways });
    const id = typeof ids === "function" ? pick(mask, ids) : ids[step];
    const next = id === undefined ? undefined : grammar.after(state, id, budget);
    if (id === undefined || next === undefined) break;
    after += Buffer.from(vocabulary.bytes(id)).toString("utf8");
    state = next;
    budget.earn();
  }
  return costs;
}

/** The same masks twice: what came between one of them is not the mask's. */
function lesser(first: readonly MaskCost[], second: readonly MaskCost[]): MaskCost[] {
  return first.map((cost, at) => ({ ...cost, ms: Math.min(cost.ms, second[at]?.ms ?? cost.ms) }));
}

export interface MasksReport {
  readonly grammars: number;
  /** Not compiled. */
  readonly refused: readonly string[];
  /** Compiled, but a mask was too much work. */
  readonly failed: readonly string[];
  readonly costs: readonly MaskCost[];
  /** Milliseconds of the processor that grammars take to compile, in the builder's thread. */
  readonly compiled: readonly { readonly name: string; readonly ms: number }[];
}

/** Costs of the masks of every case, the dearest first. */
export function checkMasks(vocabulary: Vocabulary, every: number): MasksReport {
  const byText = new Map<string, number>();
  for (let id = 0; id < vocabulary.size; id++) {
    const text = Buffer.from(vocabulary.bytes(id)).toString("latin1");
    if (text !== "") byText.set(text, id);
  }
  const costs: MaskCost[] = [];
  const compiled: { readonly name: string; readonly ms: number }[] = [];
  const refused: string[] = [];
  const failed: string[] = [];
  for (const { name, node, text } of cases(every)) {
    const began = threadMs();
    const table = orRefused(() => layOutGrammar(node()));
    if (table instanceof GrammarError) {
      refused.push(`${name}: ${table.message}`);
      continue;
    }
    compiled.push({ name, ms: threadMs() - began });
    const one = (ids: readonly number[] | (() => number)): MaskCost[] => {
      const grammar = new CompiledGrammar(table, vocabulary);
      grammar.seed(firstMask(table, vocabulary));
      return follow({ name, grammar, vocabulary }, ids);
    };
    const given = text === undefined ? [] : idsOf(text, byText, vocabulary.data.longest);
    const seed = compiled.length;
    const found = orRefused(() => [
      ...lesser(one(given), one(given)),
      ...lesser(one(randomOf(seed)), one(randomOf(seed))),
    ]);
    if (found instanceof GrammarError) failed.push(`${name}: ${found.message}`);
    else costs.push(...found);
  }
  costs.sort((a, b) => b.ms - a.ms);
  compiled.sort((a, b) => b.ms - a.ms);
  return { grammars: compiled.length - failed.length, refused, failed, costs, compiled };
}

function orRefused<T>(find: () => T): T | GrammarError {
  try {
    return find();
  } catch (error) {
    if (error instanceof GrammarError) return error;
    throw error;
  }
}

/** Processor time of this thread: an engine waits for no other, as V8's collect and compile beside it. Kernels of 250 ticks a second tell it to 4 ms. */
function threadMs(): number {
  return Number(readFileSync("/proc/thread-self/schedstat", "latin1").split(" ", 1)[0]) / 1e6;
}

function tell(what: string, { name, ms, nodes, ways, after }: MaskCost): void {
  process.stdout.write(
    `  ${what}${ms.toFixed(2)} ms, ${nodes} nodes, ${ways} ways: ${name.slice(0, 60)} after ${JSON.stringify(after)}\n`,
  );
}

function run(argv: readonly string[]): number {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      tokenizer: { type: "string", default: "qwen3" },
      every: { type: "string", default: "20" },
      limit: { type: "string", default: "30" },
      show: { type: "string", default: "5" },
    },
  });
  const file = join(
    process.env["TRAINYARD_DATA"] ?? "../shared/data",
    "tokenizers",
    `${values.tokenizer}.tokenizer.json.gz`,
  );
  if (!existsSync(file)) {
    process.stdout.write(`skipped: no tokenizer at ${file}; set TRAINYARD_DATA.\n`);
    return 0;
  }
  const vocabulary = readVocabulary(file);
  const { trie, longest, size } = vocabulary.data;
  process.stdout.write(
    `${values.tokenizer}: ${size} ids, ${trie.byte.length} nodes, longest ${longest} bytes\n`,
  );
  const report = checkMasks(vocabulary, Number(values.every));
  const { grammars, refused, failed, costs, compiled } = report;
  const at = (share: number): string =>
    (costs[Math.floor(costs.length * share)]?.ms ?? 0).toFixed(2);
  process.stdout.write(
    `${grammars} grammars (${refused.length} refused, ${failed.length} given up), ${costs.length} masks: max ${at(0)} ms, p99.9 ${at(0.001)}, p99 ${at(0.01)}, p50 ${at(0.5)} ms of the thread's processor time\n`,
  );
  for (const cost of costs.slice(0, Number(values.show))) tell("", cost);
  for (const count of ["nodes", "ways"] as const) {
    const [most] = costs.toSorted((a, b) => b[count] - a[count]);
    if (most !== undefined) tell(`most ${count}: `, most);
  }
  for (const one of [...failed, ...refused].slice(0, Number(values.show)))
    process.stdout.write(`  not held: ${one.slice(0, 200)}\n`);
  for (const { name, ms } of compiled.slice(0, Number(values.show)))
    process.stdout.write(`  compiled in ${ms.toFixed(0)} ms: ${name.slice(0, 60)}\n`);
  const over = costs.filter(({ ms }) => ms > Number(values.limit)).length;
  process.stdout.write(`over ${values.limit} ms: ${over}\n`);
  return over === 0 ? 0 : 1;
}

if (
  process.argv[1] !== undefined &&
  import.meta.url.endsWith(process.argv[1].replace(/^.*\//, "/"))
) {
  process.exitCode = run(process.argv.slice(2));
}
