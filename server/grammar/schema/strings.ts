/** JSON strings under length, pattern and format. */
import { codeOf } from "../../entry-at.ts";
import { ANY_CHAR, characters, JSON_ESCAPED, jsonCharacters, minus } from "../characters.ts";
import {
  alt,
  bytes,
  EMPTY,
  GrammarError,
  literal,
  many,
  type Node,
  repeat,
  seq,
} from "../grammar.ts";
import { intersect, subtract } from "../intersect.ts";
import { parseRegex } from "../regex.ts";
import { type Lengths, lengths, ofLength } from "./lengths.ts";

export const QUOTE = literal('"');

const HEX = bytes([0x30, 0x39], [0x41, 0x46], [0x61, 0x66]);
/** Not the half of a pair: the two high digits of \uD800 … \uDFFF are left out. */
const ESCAPED = seq(
  literal("\\"),
  alt(
    bytes(...Array.from('"\\/bfnrt', (c): [number, number] => [c.charCodeAt(0), c.charCodeAt(0)])),
    seq(
      literal("u"),
      alt(
        seq(bytes([0x30, 0x39], [0x41, 0x43], [0x45, 0x46], [0x61, 0x63], [0x65, 0x66]), HEX),
        seq(bytes([0x44, 0x44], [0x64, 0x64]), bytes([0x30, 0x37])),
      ),
      HEX,
      HEX,
    ),
  ),
);

/** One character of a string, any way JSON may write it. */
export const FREE_CHAR = alt(characters(minus(ANY_CHAR, JSON_ESCAPED)), ESCAPED);
/** One character, written only one way: what a comparison of texts needs. */
const PLAIN_CHAR = jsonCharacters(ANY_CHAR);

export const FREE_STRING = seq(QUOTE, many(FREE_CHAR), QUOTE);

export interface StringLimits {
  readonly minLength: number;
  readonly maxLength: number;
  readonly patterns: readonly string[];
  readonly formats: readonly string[];
  readonly without: readonly string[];
  readonly unlike: readonly string[];
}

export function strings(limits: StringLimits): Node {
  const shapes = limits.patterns.map((pattern) =>
    parseRegex(pattern, { json: true, search: true }),
  );
  let { minLength, maxLength } = limits;
  for (const format of limits.formats) {
    const pattern = Object.hasOwn(FORMATS, format) ? FORMATS[format] : undefined;
    if (pattern === undefined) continue;
    let shape: Shape = shapeOf(pattern);
    if (maxLength < shape.max) {
      const free = uncounted(format, maxLength);
      if (free !== undefined && free.max >= minLength) shape = free;
    }
    shapes.push(shape.node);
    // What the format promises by itself costs no product.
    if (minLength <= shape.min) minLength = 0;
    if (maxLength >= shape.max) maxLength = Number.POSITIVE_INFINITY;
  }
  if (limits.without.length > 0) shapes.push(textsExcept(limits.without));
  if (limits.unlike.length > 0 && shapes.length === 0) shapes.push(many(PLAIN_CHAR));
  const [first, ...others] = shapes;
  if (first === undefined) return seq(QUOTE, repeat(FREE_CHAR, minLength, maxLength), QUOTE);
  const limited = minLength > 0 || maxLength !== Number.POSITIVE_INFINITY;
  const unlike = limits.unlike.map((pattern) => parseRegex(pattern, { json: true, search: true }));
  try {
    const like = others.reduce(intersect, first);
    const fitting = limited ? ofLengths(like, { min: minLength, max: maxLength }) : like;
    return seq(QUOTE, unlike.reduce(subtract, fitting), QUOTE);
  } catch (error) {
    if (!(error instanceof GrammarError)) throw error;
    const keywords = [
      ...(limits.patterns.length + limits.unlike.length > 0 ? ["pattern"] : []),
      ...(limits.formats.length > 0 ? ["format"] : []),
      ...(limits.without.length > 0 ? ["not"] : []),
      ...(minLength > 0 ? ["minLength"] : []),
      ...(maxLength !== Number.POSITIVE_INFINITY ? ["maxLength"] : []),
    ];
    throw new GrammarError(
      `the keywords ${keywords.map((one) => `"${one}"`).join(", ")} together need too many states`,
    );
  }
}

/** Up to here states are counted, and no text is lost. */
const COUNTED_LENGTH = 256;

function ofLengths(node: Node, limits: Lengths): Node {
  const { min, max } = limits;
  const counted = () => intersect(node, repeat(PLAIN_CHAR, min, max));
  if (Math.max(min, Number.isFinite(max) ? max : 0) > COUNTED_LENGTH) {
    return ofLength(node, limits) ?? counted();
  }
  try {
    return counted();
  } catch (error) {
    const shaped = error instanceof GrammarError ? ofLength(node, limits) : undefined;
    if (shaped === undefined) throw error;
    return shaped;
  }
}

interface Shape extends Lengths {
  readonly node: Node;
}

function shapeOf(pattern: string): Shape {
  const node = parseRegex(pattern, { json: true });
  return { node, ...lengths(node) };
}

const DATE =
  "(?:\\d{4})-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\\d|30)|02-(?:0[1-9]|1\\d|2[0-8]))"
    // Year 0000 exists in the syntax, not in the calendars of validators.
    .replace("(?:\\d{4})", "(?:[1-9]\\d{3})");
const TIME =
  "(?:[01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(?:\\.\\d{1,6})?(?:Z|[+-](?:[01]\\d|2[0-3]):[0-5]\\d)";
const LABEL = "[A-Za-z0-9]{1,12}(?:-[A-Za-z0-9]{1,12}){0,3}";
const HOST = `${LABEL}(?:\\.${LABEL}){0,3}`;
const BYTE = "(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)";
const PATH = "(?:/[A-Za-z0-9._~-]{0,64}){0,16}";
const EMAIL = `[A-Za-z0-9]{1,24}(?:[._+-][A-Za-z0-9]{1,12}){0,3}@${LABEL}(?:\\.${LABEL}){0,2}\\.[A-Za-z]{2,12}`;
const URI = `(?:https?|ftp)://${HOST}(?::[1-9]\\d{0,3})?${PATH}(?:\\?[A-Za-z0-9=&._~-]{0,200})?(?:#[A-Za-z0-9._~-]{0,64})?`;

/**
 * Formats as patterns: each text generated is of the format; not each text of the
 * format can be generated (no leap seconds, no 29 February, ASCII only).
 * Formats not listed are annotations, as JSON schema has it.
 */
const FORMATS: Readonly<Record<string, string>> = {
  date: DATE,
  time: TIME,
  "date-time": `${DATE}T${TIME}`,
  duration: "P(?:[1-9]\\d{0,2}W|[1-9]\\d{0,2}D(?:T[1-9]\\d{0,2}H)?|T[1-9]\\d{0,2}[HMS])",
  email: EMAIL,
  "idn-email": EMAIL,
  hostname: HOST,
  "idn-hostname": HOST,
  ipv4: `${BYTE}(?:\\.${BYTE}){3}`,
  ipv6: "[0-9a-fA-F]{1,4}(?::[0-9a-fA-F]{1,4}){7}",
  uuid: "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}",
  uri: URI,
  iri: URI,
  "uri-reference": `(?:${URI}|${PATH})`,
  "iri-reference": `(?:${URI}|${PATH})`,
  "uri-template": `(?:${URI}|${PATH})`,
  "json-pointer": "(?:/[A-Za-z0-9_-]{0,32}){0,8}",
  "relative-json-pointer": "(?:0|[1-9]\\d{0,2})(?:/[A-Za-z0-9_-]{0,32}){0,8}",
  regex: "[A-Za-z0-9 _-]{0,64}",
};

/** Texts of a format, as they stand outside JSON; undefined: it is an annotation. */
export function formatShape(format: string): Node | undefined {
  const pattern = Object.hasOwn(FORMATS, format) ? FORMATS[format] : undefined;
  return pattern === undefined ? undefined : parseRegex(pattern);
}

/** Of a label of a host's name, and of what stands before an email's @. */
const LABEL_LENGTH = 63;
const NAME = "[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*";
const NAMES = `${NAME}(?:\\.${NAME})*`;
const LOCAL = "[A-Za-z0-9]+(?:[._+-][A-Za-z0-9]+)*";
const DOMAIN = `${NAMES}\\.[A-Za-z]{2,12}`;
const ANY_PATH = "(?:/[A-Za-z0-9._~/-]*)?";
/** What stands before a URI's path at most: https://, a host, a port. */
const AUTHORITY_LENGTH = 8 + LABEL_LENGTH + 5;
/** From here on a URI's parts get shares of the length: a product would be of as many states. */
const SHARED_LENGTH = 200;

/** Port, path, query and fragment; absent `rest`: as long as the whole allows. */
function afterHost(rest = Number.POSITIVE_INFINITY): string {
  const count = (share: number) =>
    Number.isFinite(rest) ? `{0,${Math.floor(rest * share) - 1}}` : "*";
  return `(?::[1-9]\\d{0,3})?(?:/[A-Za-z0-9._~/-]${count(0.5)})?(?:\\?[A-Za-z0-9=&._~-]${count(0.35)})?(?:#[A-Za-z0-9._~-]${count(0.15)})?`;
}
const ANY_POINTER = "(?:/[A-Za-z0-9_-]*)*";

/** Texts of the pattern, of so many characters at most. */
function within(pattern: string, maxLength: number): Node {
  return intersect(parseRegex(pattern, { json: true }), repeat(PLAIN_CHAR, 0, maxLength));
}

/**
 * A format for texts of `maxLength` characters: where its parts were counted beside the
 * whole, the states of the counts would multiply. Hosts end at the length of one label.
 * Undefined: the pattern as it stands.
 */
function uncounted(format: string, maxLength: number): Shape | undefined {
  const free = (node: Node): Shape => ({ node, ...lengths(node) });
  const shared = maxLength >= SHARED_LENGTH;
  const uri = () =>
    seq(
      shapeOf("(?:https?|ftp)://").node,
      within(NAMES, LABEL_LENGTH),
      shapeOf(afterHost(shared ? maxLength - AUTHORITY_LENGTH : undefined)).node,
    );
  switch (format) {
    case "email":
    case "idn-email": {
      // "@b.de" at least follows, "a@" and ".de" stand around.
      if (maxLength <= LABEL_LENGTH + 5) return shapeOf(`${LOCAL}@${DOMAIN}`);
      const local = Math.min(LABEL_LENGTH, Math.floor((maxLength - 1) / 2));
      const domain = Math.min(LABEL_LENGTH, maxLength - 1 - local);
      const node = seq(within(LOCAL, local), literal("@"), within(DOMAIN, domain));
      return { node, min: 6, max: local + 1 + domain };
    }
    case "hostname":
    case "idn-hostname":
      return { node: within(NAMES, LABEL_LENGTH), min: 1, max: LABEL_LENGTH };
    case "uri":
    case "iri":
      return { node: uri(), min: 7, max: shared ? maxLength : Number.POSITIVE_INFINITY };
    case "uri-reference":
    case "iri-reference":
    case "uri-template":
      return shared
        ? {
            node: alt(uri(), shapeOf(`(?:/[A-Za-z0-9._~/-]{0,${maxLength - 1}})?`).node),
            min: 0,
            max: maxLength,
          }
        : free(alt(uri(), shapeOf(ANY_PATH).node));
    case "json-pointer":
      return shapeOf(ANY_POINTER);
    case "relative-json-pointer":
      return shapeOf(`(?:0|[1-9]\\d{0,2})${ANY_POINTER}`);
    default:
      return undefined;
  }
}

/** Object keys: written one way, and none of the names. */
export function keysExcept(names: Iterable<string>): Node {
  return seq(QUOTE, textsExcept(names), QUOTE);
}

/** Characters that stand unescaped in a string. */
const RAW = minus(ANY_CHAR, JSON_ESCAPED);
const RAW_TEXT = many(characters(RAW));

/** By the characters left out: a schema with hundreds of names asks for few of them, again and again. */
const rawExcept = new Map<string, Node>();
const MAX_KEPT = 2_000;

/** A text that begins with none of the characters. */
function rawTextExcept(codes: readonly number[]): Node {
  const key = codes.join();
  let node = rawExcept.get(key);
  if (node === undefined) {
    const others = minus(
      RAW,
      codes.map((code) => [code, code]),
    );
    node = seq(characters(others), RAW_TEXT);
    if (rawExcept.size >= MAX_KEPT) rawExcept.clear();
    rawExcept.set(key, node);
  }
  return node;
}

/** What stands between the quotes. */
function textsExcept(names: Iterable<string>): Node {
  interface Branch {
    ends: boolean;
    readonly next: Map<number, Branch>;
  }
  const root: Branch = { ends: false, next: new Map() };
  for (const name of names) {
    let branch = root;
    for (const char of name) {
      const code = codeOf(char);
      const child = branch.next.get(code) ?? { ends: false, next: new Map() };
      branch.next.set(code, child);
      branch = child;
    }
    branch.ends = true;
  }
  const build = (branch: Branch, depth: number): Node => {
    if (depth > 500) throw new GrammarError("a property name is too long");
    const options = [rawTextExcept([...branch.next.keys()].sort((a, b) => a - b))];
    if (!branch.ends) options.push(EMPTY);
    for (const [code, child] of branch.next) {
      const text = String.fromCodePoint(code);
      // Escaped characters never begin a free key: their branch is unreachable.
      if (JSON.stringify(text).length !== text.length + 2) continue;
      // Written out, as this is most of what a schema with hundreds of names costs.
      options.push({ kind: "seq", items: [literal(text), build(child, depth + 1)] });
    }
    return { kind: "alt", options };
  };
  return build(root, 0);
}
