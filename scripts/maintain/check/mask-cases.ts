/** Grammars that are hard on masks, with a text that each allows: what check/masks.ts follows beside the suites. */
import type { GrammarSpec } from "../../../server/grammar/spec.ts";

export interface HardCase {
  readonly spec: GrammarSpec;
  readonly text: string;
}

const regex = (pattern: string, text: string): HardCase => ({
  spec: { kind: "regex", pattern },
  text,
});
const grammar = (source: string, text: string): HardCase => ({
  spec: { kind: "grammar", text: source },
  text,
});
const json = (schema: object, value: unknown): HardCase => ({
  spec: { kind: "json", schema: schema as never, compact: true }, // a schema
  text: JSON.stringify(value),
});

/** Words that differ early and late. */
const WORDS = Array.from(
  { length: 4_000 },
  (_, i) =>
    `${"abcdefghijklmnopqrstuvwxyz"[i % 26]}${(i * 7919).toString(36)}${i % 3 ? "ing" : ""}`,
);
const NAMES = WORDS.slice(0, 2_000).map((word) => `${word}_name`);

const PATTERNS: readonly HardCase[] = [
  regex("[\\s\\S]{0,4000}", "Any text at all, with “quotes”, 日本語 and 🦜."),
  regex("(?:\\p{L}+[ ,.]?){1,200}", "Wörter und words, слова."),
  regex("[^\\n]*\\n(?:- [^\\n]*\\n){1,20}", "A list\n- of one\n- of two\n"),
  regex("(?:[a-z]+@[a-z]+\\.(?:com|org)[;\\n]){1,50}", "ab@cd.org;ef@gh.com\n"),
  regex("\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}(?:\\.\\d{1,9})?Z", "2026-11-30T12:00:00.25Z"),
  regex("(?:(?:[a-z]{1,9} ){0,9}[a-z]{1,9}\\. ){1,30}", "the cat sat. the dog ran. "),
  regex("(?:.|\\n){1,2000}END", "some text\nmore\nEND"),
  regex("(?:(?:\\p{L}{1,12}[ -]){1,8}\\p{N}{1,4}[.,;] ?){1,40}", "Wörter und words 12. слова 3; "),
  regex(
    "(?:\\p{Lu}\\p{Ll}+ ){2,5}(?:\\p{L}+\\p{M}*[\\s\\p{P}]?){0,300}",
    "Alle Worte Sind groß, mañana é.",
  ),
  regex(
    "(?:\\p{Script=Han}|\\p{Script=Hiragana}|\\p{Script=Katakana}){1,400}",
    "日本語のテキストです",
  ),
  regex(
    "(?:\\p{Script=Cyrillic}+|\\p{Script=Greek}+|\\p{Script=Latin}+)(?: \\p{L}+){0,99}",
    "слова и λόγος words",
  ),
  regex("[^\\p{L}]{0,60}(?:\\p{L}[^\\p{L}]{0,8}){1,200}", "1. a, b - c: ü (x)"),
  regex("(?:[\\w\\s]{1,40}[.!?]){3,60}", "One two. Three! Four five? Six."),
  regex("(?:[^,\\n]{0,30},){9}[^,\\n]{0,30}\\n", "a,b b,c,d,,,g,h,i,j\n"),
  regex(
    "(?:(?:[A-Z][a-z]*){1,6}\\((?:[a-z]+: [^,()]+(?:, )?){0,8}\\);\\n?){1,30}",
    "FooBar(a: 1, b: x y);\nBaz();",
  ),
  regex(
    "(?:#{1,6} .{1,80}\\n(?:.{1,120}\\n){0,10}\\n?){1,12}",
    "# Head\nsome text\n\n## Next\nmore\n",
  ),
  regex(`(?:(?:${WORDS.slice(0, 400).join("|")})[ ,]){1,100}`, `${WORDS.slice(7, 12).join(" ")} `),
  regex("(?:[^aeiou]{1,20}[aeiou]{1,3}){1,150}", "consonants with vowels a"),
  regex("(?:\\S+ ){40}\\S+", "one two three four five "),
  regex("[\\s\\S]{0,200}?<b>[\\s\\S]{0,200}?</b>[\\s\\S]{0,200}", "text <b>bold</b> more"),
];

const COMMON = "%import common.WS\n%ignore WS\n";
const GRAMMARS: readonly HardCase[] = [
  grammar(
    `start: expr\n?expr: term (("+"|"-") term)*\n?term: atom (("*"|"/") atom)*\n?atom: NUMBER | NAME | "(" expr ")"\n%import common.NUMBER\n%import common.CNAME -> NAME\n${COMMON}`,
    "a + (b2 * 3.5) / count - 1",
  ),
  grammar(
    `start: statement+\nstatement: "select" cols "from" NAME ("where" cond)? ";"\ncols: "*" | NAME ("," NAME)*\ncond: NAME "=" ESCAPED_STRING\n%import common.CNAME -> NAME\n%import common.ESCAPED_STRING\n${COMMON}`,
    'select a, bc from table where a = "x y";',
  ),
  grammar(
    "start: (WORD | NUMBER | /[^\\w\\s]+/ | WS)+\n%import common.WORD\n%import common.NUMBER\n%import common.WS",
    "Some words, 12 of them!",
  ),
  grammar(
    `start: e\ne: e "+" e | e "*" e | "(" e ")" | NAME\n%import common.CNAME -> NAME\n${COMMON}`,
    "a + b * (c + d) * e",
  ),
  grammar(
    `start: stmt*\nstmt: "if" expr "then" stmt ("else" stmt)? | "begin" stmt* "end" | NAME ":=" expr ";"\nexpr: NAME (OP NAME)*\nOP: "+" | "-" | "<" | "==" | "and" | "or"\n%import common.CNAME -> NAME\n%ignore /[ \\t\\n]+/\n%ignore /#[^\\n]*/\n`,
    "if a < b then begin x := a + c; end else y := b; # note\n",
  ),
  grammar(
    `start: value\nvalue: list | pair | ATOM\nlist: "[" [value ("," value)*] "]"\npair: "(" value "." value ")"\nATOM: /\\p{L}[\\p{L}\\p{N}_]*/ | /-?\\d+(\\.\\d+)?/\n${COMMON}`,
    "[a, (b . [1, 2.5]), слово, [[x]]]",
  ),
  grammar(
    'start: (sentence " "?)+\nsentence: WORD (" " WORD)* /[.!?]/\nWORD: /\\p{Lu}?\\p{Ll}+(\'\\p{Ll}+)?/\n',
    "The cat's here. Ein Satz mit Worten!",
  ),
  grammar(
    `start: element+\nelement: "<" TAG attr* (">" (element | TEXT)* "</" TAG ">" | "/>")\nattr: WS TAG "=" ESCAPED_STRING\nTAG: /[a-z][a-z0-9]*/\nTEXT: /[^<>&]+/\n%import common.WS\n%import common.ESCAPED_STRING\n`,
    '<p id="x">Hello <b>bold</b> 日本 text</p>',
  ),
  grammar(
    `start: (line "\\n")+\nline: KEY ":" WS? VALUE\nKEY: ${WORDS.slice(0, 600)
      .map((word) => `"${word}"`)
      .join(" | ")}\nVALUE: /[^\\n]{1,200}/\n%import common.WS\n`,
    `${WORDS[5]}: some value\n${WORDS[77]}: another\n`,
  ),
  grammar(
    'root ::= item+\nitem ::= "- " text "\\n" ("  " item)*\ntext ::= [^\\n]{1,120}\n',
    "- one\n  - two\n- three 日本\n",
  ),
  grammar('root ::= s\ns ::= s s | "(" s ")" | [a-z]+ " "? | ""\n', "(ab (cd) e) f"),
];

const free = { type: "string" };
const SCHEMAS: readonly HardCase[] = [
  json(
    { type: "string", pattern: "^(?:\\p{L}+[ ,.]?){1,200}$", maxLength: 180 },
    "Wörter und words, слова.",
  ),
  json(
    { type: "string", pattern: "^[A-Z][\\w .-]{2,60}$", minLength: 10, maxLength: 40 },
    "Alpha beta gamma",
  ),
  json({ type: "string", format: "email", maxLength: 60, minLength: 8 }, "first.last@example.com"),
  json(
    { type: "string", format: "uri", pattern: "^https://", maxLength: 90 },
    "https://example.com/a?b=c",
  ),
  json(
    {
      type: "array",
      items: { type: "string", pattern: "^\\p{Lu}[\\p{L} ]{1,30}$" },
      minItems: 3,
      maxItems: 30,
    },
    ["Eins zwei", "Drei", "Vier"],
  ),
  json({ enum: WORDS }, WORDS[1234]),
  json({ type: "array", items: { enum: NAMES }, maxItems: 40 }, NAMES.slice(3, 9)),
  json(
    {
      type: "object",
      properties: Object.fromEntries(NAMES.slice(0, 1_200).map((name) => [name, free])),
    },
    { [NAMES[40] ?? ""]: "x", [NAMES[900] ?? ""]: "y z" },
  ),
  json(
    {
      type: "object",
      properties: Object.fromEntries(
        NAMES.slice(0, 300).map((name) => [name, { type: ["string", "integer", "null"] }]),
      ),
      required: NAMES.slice(0, 300),
    },
    Object.fromEntries(NAMES.slice(0, 300).map((name, i) => [name, i % 2 ? i : `v ${i}`])),
  ),
  json(
    {
      type: "object",
      patternProperties: { "^\\p{L}+$": { type: "integer" }, "^x_": free },
      additionalProperties: false,
    },
    { wort: 1, x_a: "b" },
  ),
  json(
    {
      type: "object",
      propertyNames: { pattern: "^[a-z_]{1,20}$" },
      additionalProperties: { type: "string", maxLength: 300 },
      maxProperties: 20,
    },
    { alpha: "one two", beta_x: "three" },
  ),
  json(
    {
      $ref: "#/$defs/node",
      $defs: {
        node: {
          type: "object",
          properties: {
            name: { type: "string", pattern: "^\\p{L}[\\p{L}\\p{N} _-]{0,40}$" },
            kids: { type: "array", items: { $ref: "#/$defs/node" } },
            next: { anyOf: [{ $ref: "#/$defs/node" }, { type: "null" }] },
          },
          required: ["name"],
        },
      },
    },
    { name: "a", kids: [{ name: "b ü", kids: [], next: null }, { name: "c" }] },
  ),
  json(
    {
      anyOf: Array.from({ length: 120 }, (_, i) => ({
        type: "object",
        properties: { kind: { const: WORDS[i] }, value: i % 2 ? { type: "number" } : free },
        required: ["kind", "value"],
      })),
    },
    { kind: WORDS[60], value: "some text" },
  ),
  json(
    { type: "string", minLength: 200, maxLength: 3_000 },
    "A long text that goes on. ".repeat(10),
  ),
];

export const HARD_CASES: readonly HardCase[] = [...PATTERNS, ...GRAMMARS, ...SCHEMAS];
