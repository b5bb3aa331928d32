/** JSON strings under length, pattern and format. */
import { ANY_CHAR, characters, JSON_ESCAPED, jsonCharacters, minus } from "../characters.ts";
import { alt, bytes, GrammarError, literal, many, type Node, repeat, seq } from "../grammar.ts";
import { intersect } from "../intersect.ts";
import { parseRegex } from "../regex.ts";

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
}

export function strings(limits: StringLimits): Node {
  const { minLength, maxLength } = limits;
  const shapes = [
    ...limits.patterns.map((pattern) => parseRegex(pattern, { json: true, search: true })),
    ...limits.formats.flatMap((format) => {
      const pattern = FORMATS[format];
      return pattern === undefined ? [] : [parseRegex(pattern, { json: true })];
    }),
  ];
  if (limits.without.length > 0) shapes.push(textsExcept(limits.without));
  const [first, ...others] = shapes;
  if (first === undefined) return seq(QUOTE, repeat(FREE_CHAR, minLength, maxLength), QUOTE);
  const limited = minLength > 0 || maxLength !== Number.POSITIVE_INFINITY;
  if (limited) others.push(repeat(PLAIN_CHAR, minLength, maxLength));
  return seq(QUOTE, others.reduce(intersect, first), QUOTE);
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

/** Object keys: written one way, and none of the names. */
export function keysExcept(names: Iterable<string>): Node {
  return seq(QUOTE, textsExcept(names), QUOTE);
}

/** What stands between the quotes. */
function textsExcept(names: Iterable<string>): Node {
  const raw = minus(ANY_CHAR, JSON_ESCAPED);
  interface Branch {
    ends: boolean;
    readonly next: Map<number, Branch>;
  }
  const root: Branch = { ends: false, next: new Map() };
  for (const name of names) {
    let branch = root;
    for (const char of name) {
      const code = char.codePointAt(0) ?? 0;
      const child = branch.next.get(code) ?? { ends: false, next: new Map() };
      branch.next.set(code, child);
      branch = child;
    }
    branch.ends = true;
  }
  const rest = many(characters(raw));
  const build = (branch: Branch, depth: number): Node => {
    if (depth > 500) throw new GrammarError("a property name is too long");
    const taken = [...branch.next.keys()].map((code): [number, number] => [code, code]);
    const others = minus(raw, taken);
    const options = [...branch.next].map(([code, child]) => {
      const text = String.fromCodePoint(code);
      // Escaped characters never begin a free key: their branch is unreachable.
      if (JSON.stringify(text).length !== text.length + 2) return undefined;
      return seq(literal(text), build(child, depth + 1));
    });
    const parts = options.filter((option) => option !== undefined);
    return alt(...(branch.ends ? [] : [literal("")]), seq(characters(others), rest), ...parts);
  };
  return build(root, 0);
}
