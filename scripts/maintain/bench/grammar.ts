/**
 * Masks of the grammar engine against web-xgrammar, in one process and one run.
 *
 *     npx tsx scripts/maintain/bench/grammar.ts [--tokenizer smollm2] [--rounds 5]
 *
 * Each grammar is compiled and then driven through a text, one character a token;
 * a mask is asked for before each. Printed: milliseconds to compile, the median and
 * the worst mask, and ours over theirs for the whole of it (below 1: ours is faster).
 * Data: `tokenizers` under TRAINYARD_DATA (byte-level BPE only).
 */
import { readFileSync } from "node:fs";
import Module, { createRequire } from "node:module";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { gunzipSync } from "node:zlib";
import { CompiledGrammar, GrammarConstraint } from "../../../server/grammar/constraint.ts";
import { parseEbnf } from "../../../server/grammar/ebnf.ts";
import { Vocabulary } from "../../../server/grammar/vocabulary.ts";

const CHAR = 'char ::= [^"\\\\\\x00-\\x1f] | "\\\\" ["\\\\/bfnrt]\n';
const string = (count: string): string => `root ::= "\\"" char${count} "\\""\n${CHAR}`;
const JSON_GRAMMAR = `root ::= obj
value ::= obj | arr | str | num | "true" | "false" | "null"
obj ::= "{" (pair ("," pair)*)? "}"
pair ::= str ":" value
arr ::= "[" (value ("," value)*)? "]"
str ::= "\\"" char* "\\""
num ::= "-"? ("0" | [1-9] [0-9]*) ("." [0-9]+)?
${CHAR}`;

const WORD = "abcdefghij";
const CASES: readonly (readonly [name: string, grammar: string, text: string])[] = [
  ["string", string("*"), `"${WORD.repeat(4)}"`],
  ["string{0,40}", string("{0,40}"), `"${WORD.repeat(4)}"`],
  ["string{0,400}", string("{0,400}"), `"${WORD.repeat(4)}"`],
  [
    "any JSON",
    JSON_GRAMMAR,
    '{"abc":[1,2,{"x":"hello"}],"y":{"z":null,"longer":"text of a value"}}',
  ],
];

interface Timing {
  readonly compileMs: number;
  readonly medianUs: number;
  readonly worstMs: number;
  readonly totalMs: number;
}

/** What web-xgrammar offers, as far as it is used here. */
interface Matcher {
  acceptToken(id: number): boolean;
  getNextTokenBitmask(): Promise<Int32Array>;
  dispose(): void;
}

interface Peer {
  readonly TokenizerInfo: {
    createTokenizerInfo(
      vocab: readonly string[],
      type: string,
      prefix: boolean,
      size: number,
      stop: readonly number[],
    ): Promise<unknown>;
  };
  readonly GrammarCompiler: {
    createGrammarCompiler(
      info: unknown,
      cache: boolean,
    ): Promise<{ compileGrammar(text: string): Promise<unknown> }>;
  };
  readonly GrammarMatcher: { createGrammarMatcher(compiled: unknown): Promise<Matcher> };
}

/** The package is UMD that calls itself a module: its text is compiled as CommonJS. */
function loadPeer(): Peer {
  const path = createRequire(import.meta.url).resolve("@mlc-ai/web-xgrammar");
  const module = new Module(path) as Module & { _compile(text: string, path: string): void }; // undocumented, and stable since Node 0.1
  module.filename = path;
  module._compile(readFileSync(path, "utf8"), path);
  return module.exports as Peer;
}

/** GPT-2's spelling of bytes as printable characters. */
function byteOf(): ReadonlyMap<string, number> {
  const map = new Map<string, number>();
  let next = 256;
  for (let byte = 0; byte < 256; byte++) {
    const plain = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    map.set(String.fromCharCode(plain ? byte : next++), byte);
  }
  return map;
}

function readVocabulary(name: string): { readonly words: string[]; readonly bytes: Uint8Array[] } {
  const file = join(
    process.env["TRAINYARD_DATA"] ?? "../shared/data",
    "tokenizers",
    `${name}.tokenizer.json.gz`,
  );
  const parsed = JSON.parse(gunzipSync(readFileSync(file)).toString("utf8")) as {
    readonly model: { readonly vocab: Readonly<Record<string, number>> };
  }; // a tokenizer.json
  const words: string[] = [];
  const bytes: Uint8Array[] = [];
  const map = byteOf();
  for (const [word, id] of Object.entries(parsed.model.vocab)) {
    const list = Array.from(word, (char) => map.get(char));
    words[id] = list.includes(undefined) ? "" : word;
    bytes[id] = Uint8Array.from(list.includes(undefined) ? [] : (list as number[])); // no hole, by the test
  }
  return {
    words: Array.from(words, (word) => word ?? ""),
    bytes: Array.from(bytes, (one) => one ?? new Uint8Array(0)),
  };
}

function timing(compileMs: number, masks: readonly number[]): Timing {
  const sorted = [...masks].sort((a, b) => a - b);
  return {
    compileMs,
    medianUs: (sorted[sorted.length >> 1] ?? 0) * 1000,
    worstMs: sorted.at(-1) ?? 0,
    totalMs: compileMs + masks.reduce((sum, one) => sum + one, 0),
  };
}

function ours(vocabulary: Vocabulary, grammar: string, ids: readonly number[]): Timing {
  const began = performance.now();
  const constraint = new GrammarConstraint(
    new CompiledGrammar(parseEbnf(grammar), vocabulary),
    [0],
  );
  const compiled = performance.now();
  const mask = new Int32Array((vocabulary.size + 31) >> 5);
  const masks = ids.map((id) => {
    const before = performance.now();
    constraint.mask(mask);
    const took = performance.now() - before;
    if (!constraint.accept(id)) throw new Error(`Ours refused id ${id}.`);
    return took;
  });
  return timing(compiled - began, masks);
}

async function theirs(
  peer: Peer,
  info: unknown,
  grammar: string,
  ids: readonly number[],
): Promise<Timing> {
  const compiler = await peer.GrammarCompiler.createGrammarCompiler(info, false);
  const began = performance.now();
  const matcher = await peer.GrammarMatcher.createGrammarMatcher(
    await compiler.compileGrammar(grammar),
  );
  const compiled = performance.now();
  const masks: number[] = [];
  for (const id of ids) {
    const before = performance.now();
    await matcher.getNextTokenBitmask();
    masks.push(performance.now() - before);
    if (!matcher.acceptToken(id)) throw new Error(`Theirs refused id ${id}.`);
  }
  matcher.dispose();
  return timing(compiled - began, masks);
}

const median = (list: readonly Timing[], of: (one: Timing) => number): number =>
  list.map(of).sort((a, b) => a - b)[list.length >> 1] ?? 0;

export async function run(argv: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      tokenizer: { type: "string", default: "smollm2" },
      rounds: { type: "string", default: "5" },
    },
  });
  const { words, bytes } = readVocabulary(values.tokenizer);
  const ids = new Map(words.map((word, id) => [word, id]));
  const vocabulary = Vocabulary.of(bytes);
  const peer = loadPeer();
  const info = await peer.TokenizerInfo.createTokenizerInfo(
    words,
    "byte_level",
    false,
    words.length,
    [0],
  );
  process.stdout.write(
    `${values.tokenizer}: ${words.length} tokens; medians of ${values.rounds} rounds\n`,
  );
  process.stdout.write(
    "grammar            compile ms      mask p50 us     worst mask ms   whole, ours/theirs\n",
  );
  for (const [name, grammar, text] of CASES) {
    const path = Array.from(text, (char) => ids.get(char === " " ? "Ġ" : char) ?? -1);
    const mine: Timing[] = [];
    const other: Timing[] = [];
    for (let round = 0; round < Number(values.rounds); round++) {
      mine.push(ours(vocabulary, grammar, path));
      other.push(await theirs(peer, info, grammar, path));
    }
    const pair = (of: (one: Timing) => number, digits: number) =>
      `${median(mine, of).toFixed(digits)} / ${median(other, of).toFixed(digits)}`.padEnd(16);
    const ratio = median(mine, (one) => one.totalMs) / median(other, (one) => one.totalMs);
    process.stdout.write(
      `${name.padEnd(18)} ${pair((one) => one.compileMs, 1)}${pair((one) => one.medianUs, 0)}${pair((one) => one.worstMs, 1)}${ratio.toFixed(3)}\n`,
    );
  }
  return 0;
}

if (
  process.argv[1] !== undefined &&
  import.meta.url.endsWith(process.argv[1].replace(/^.*\//, "/"))
) {
  process.exitCode = await run(process.argv.slice(2));
}
