/**
 * The tokenizer of a model folder. Text to ids is the `tokenizers` package, behind
 * guards (encoder.ts); ids to text is ours (byte-decoder.ts), synchronous and
 * streaming.
 */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { ConfigReader, isObject, ModelConfigError } from "../config.ts";
import type { Decoder, JoinedPair, Tokenizer } from "../model.ts";
import { type Soon, soon } from "../soon.ts";
import { isThere, readText } from "../weights/files.ts";
import { StreamDecoder, TokenBytes } from "./byte-decoder.ts";
import { createEncoder, type Encoder } from "./encoder.ts";
import { addedEnds, type Ends } from "./ends.ts";
import { PairTemplate } from "./pairs.ts";
import { distrusted } from "./published.ts";
import { readTextRules } from "./text-rules.ts";
import { wordPieceFile } from "./word-piece.ts";

/** A folder as it is; of a tokenizer.json, whatever its name, the folder around it. */
export function folderOf(source: string): string {
  return source.endsWith(".json") ? dirname(source) : source;
}

/**
 * Reads `tokenizer.json` of a folder, or such a file, else its vocab.txt; undefined when there is none. `config`
 * is tokenizer_config.json, of which add_bos_token and add_eos_token are read. Throws
 * ModelConfigError.
 */
export function loadTokenizer(
  source: string,
  config: Readonly<Record<string, unknown>> = {},
): Tokenizer | undefined {
  const folder = folderOf(source);
  const path = folder === source ? join(folder, "tokenizer.json") : source;
  if (isThere(path)) return readTokenizer(readText(path), path, { onDisk: true, config });
  const words = join(folder, "vocab.txt");
  if (isThere(words)) {
    return readTokenizer(wordPieceFile(readText(words), words, config), words, { config });
  }
  for (const other of ["tokenizer.model", "tekken.json", "vocab.json"])
    if (existsSync(join(folder, other)))
      throw new ModelConfigError(
        `${join(folder, other)}: only tokenizer.json is read; save the tokenizer in that form beside it`,
      );
  return undefined;
}

interface ReadOptions {
  /** `file` is where the text lies, not only a name for messages. */
  readonly onDisk?: boolean;
  readonly config?: Readonly<Record<string, unknown>>;
}

/** A tokenizer from the text of a tokenizer.json. */
export function readTokenizer(
  text: string,
  file: string,
  { onDisk = false, config = {} }: ReadOptions = {},
): Tokenizer {
  const parsed = parseObject(text, file);
  const reader = new ConfigReader(parsed, file);
  const rules = readTextRules(reader);
  const vocabulary = readVocabulary(reader);
  const trusted = distrusted(parsed) === undefined;
  const encoder = createEncoder({ name: file, json: text, parsed, onDisk, trusted });
  const added = addedEnds(config, parsed["post_processor"]);
  return new FileTokenizer(encoder, new TokenBytes(vocabulary.tokens, rules), {
    special: vocabulary.special,
    ...added,
    pairs: new PairTemplate(parsed["post_processor"]),
  });
}

/** A JSON object from text. Throws ModelConfigError naming the file. */
export function parseObject(text: string, file: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (isObject(value)) return value;
  } catch (cause) {
    throw new ModelConfigError(`${file}: corrupt: its JSON does not parse`, { cause });
  }
  throw new ModelConfigError(`${file}: expected a JSON object`);
}

interface Vocabulary {
  readonly tokens: readonly (string | undefined)[];
  readonly special: ReadonlySet<number>;
}

/** Ids are places in tables; no vocabulary has more. */
const MAX_IDS = 2 ** 24;

/** The model's vocabulary, overlaid by the added tokens. */
function readVocabulary(file: ConfigReader): Vocabulary {
  const model = file.section("model");
  const vocabulary = model?.raw("vocab");
  const tokens: (string | undefined)[] = [];
  if (isObject(vocabulary)) {
    for (const [token, id] of Object.entries(vocabulary)) {
      if (typeof id !== "number") continue;
      if (!Number.isInteger(id) || id < 0 || id >= MAX_IDS) {
        file.fail("model", `a vocabulary of ids from 0 to ${MAX_IDS - 1}, not ${id}`);
      }
      tokens[id] = token;
    }
  } else if (Array.isArray(vocabulary)) {
    // Unigram: [token, score], the id is the place.
    for (const [id, entry] of vocabulary.entries())
      if (Array.isArray(entry) && typeof entry[0] === "string") tokens[id] = entry[0];
  } else file.fail("model", "an object with a vocabulary");
  const special = new Set<number>();
  const added = file.raw("added_tokens") ?? [];
  if (!Array.isArray(added)) file.fail("added_tokens", "a list");
  for (const [index, entry] of added.entries()) {
    if (!isObject(entry)) file.fail("added_tokens", "a list of objects");
    const token = file.inside(`added_tokens.${index}`, entry);
    const id = token.integer("id", undefined, 0);
    tokens[id] = token.string("content");
    if (token.boolean("special", false)) special.add(id);
  }
  // Holes become undefined, so that the table has no sparse part.
  return { tokens: Array.from(tokens), special };
}

class FileTokenizer implements Tokenizer {
  readonly #encoder: Encoder;
  readonly #table: TokenBytes;
  readonly specialIds: ReadonlySet<number>;
  readonly #ends: Ends;
  readonly #pairs: PairTemplate;
  #ids: ReadonlyMap<string, number> | undefined;

  constructor(
    encoder: Encoder,
    table: TokenBytes,
    {
      special,
      pairs,
      ...ends
    }: Ends & { readonly special: ReadonlySet<number>; readonly pairs: PairTemplate },
  ) {
    this.#pairs = pairs;
    this.#encoder = encoder;
    this.#table = table;
    this.#ends = ends;
    this.specialIds = special;
  }

  get vocabSize(): number {
    return this.#table.size;
  }

  encode(
    text: string,
    { addSpecialTokens = true }: { readonly addSpecialTokens?: boolean } = {},
  ): Soon<Int32Array> {
    const ids = this.#encoder.encode(text, addSpecialTokens);
    return addSpecialTokens ? soon(ids, (read) => this.#withEnds(read)) : ids;
  }

  /** As tokenizer_config.json says. */
  #withEnds(ids: Int32Array): Int32Array {
    const { before, after } = this.#ends;
    const first = before === undefined ? undefined : this.id(before);
    const last = after === undefined ? undefined : this.id(after);
    if (first === undefined && last === undefined) return ids;
    return Int32Array.of(...of(first), ...ids, ...of(last));
  }

  async encodePair(first: string, second: string, most?: number): Promise<JoinedPair> {
    const one = await this.#encoder.encode(first, false);
    return this.#pairs.join(one, await this.#encoder.encode(second, false), most);
  }

  probe(): Promise<void> {
    return this.#encoder.probe();
  }

  bytes(id: number): Uint8Array {
    return this.#table.at(id);
  }

  token(id: number): string | undefined {
    return this.#table.token(id);
  }

  id(token: string): number | undefined {
    this.#ids ??= idsOf(this.#table);
    return this.#ids.get(token);
  }

  decode(ids: readonly number[] | Int32Array, options: { readonly skipSpecial?: boolean } = {}) {
    const decoder = this.decoder(options);
    let text = "";
    for (const id of ids) text += decoder.push(id);
    return text + decoder.end();
  }

  decoder(
    options: {
      readonly skipSpecial?: boolean;
      readonly after?: readonly number[] | Int32Array;
    } = {},
  ): Decoder {
    const skip = options.skipSpecial ? this.specialIds : undefined;
    return new StreamDecoder(this.#table, { skip, after: options.after });
  }
}

/** Added tokens come after the model's own and win, as in the package. */
function idsOf(table: TokenBytes): ReadonlyMap<string, number> {
  const ids = new Map<string, number>();
  for (let id = 0; id < table.size; id++) {
    const token = table.token(id);
    if (token !== undefined) ids.set(token, id);
  }
  return ids;
}

const of = (id: number | undefined): readonly number[] => (id === undefined ? [] : [id]);
