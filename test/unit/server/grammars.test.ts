/** What regular expressions, EBNF and structural tags take, and what of them is refused, construct by construct. */
import { describe, expect, it } from "vitest";
import { CompiledGrammar, GrammarConstraint } from "../../../server/grammar/constraint.ts";
import { parseEbnf } from "../../../server/grammar/ebnf.ts";
import type { Node } from "../../../server/grammar/grammar.ts";
import { parseRegex } from "../../../server/grammar/regex.ts";
import { compileStructuralTag } from "../../../server/grammar/structural-tag.ts";
import { Vocabulary } from "../../../server/grammar/vocabulary.ts";

const END = 256;
const BYTES = Vocabulary.of([
  ...Array.from({ length: END }, (_, byte) => Uint8Array.of(byte)),
  new Uint8Array(0),
]);

/** Is the whole text one of the grammar's? */
function takes(node: Node, text: string): boolean {
  const constraint = new GrammarConstraint(new CompiledGrammar(node, BYTES), [END]);
  return [...new TextEncoder().encode(text), END].every((id) => constraint.accept(id));
}

type Case = readonly [source: string, taken: readonly string[], refused: readonly string[]];

function check(node: Node, [, taken, refused]: Case): void {
  for (const text of taken) expect(takes(node, text), JSON.stringify(text)).toBe(true);
  for (const text of refused) expect(takes(node, text), JSON.stringify(text)).toBe(false);
}

describe("a regular expression", () => {
  const CASES: readonly Case[] = [
    ["a{2}", ["aa"], ["a", "aaa"]],
    ["a{2,}", ["aa", "aaaaa"], ["a"]],
    ["a{1,2}b?", ["a", "aab"], ["", "aaab"]],
    ["a+?b*?", ["a", "aabb"], ["b"]],
    ["x{y}|{", ["x{y}", "{"], ["x"]],
    ["x{2", ["x{2"], ["xx"]],
    ["[a-c-]", ["a", "c", "-"], ["d"]],
    ["[\\d-x]", ["5", "-", "x"], ["y"]],
    ["[^a-c\\s]", ["d", "é"], ["a", " "]],
    ["[\\b\\cA]", ["\b", "\u0001"], ["b"]],
    ["\\x41\\u0042\\u{43}", ["ABC"], ["ABc"]],
    ["(?:a)(?<n>b)(?P<m>c)", ["abc"], ["ab"]],
    [".", ["a", "é", "🙂"], ["\n", "ab"]],
    ["\\.\\w\\W\\D\\S", [".a-xy"], ["aa-xy", ".a-1y", ".a-x "]],
    ["\\t\\0", ["\t\0"], ["t0"]],
    ["", [""], ["a"]],
  ];
  it.each(CASES)("%s", (...one) => check(parseRegex(one[0]), one));

  it("may match anywhere in a search, unless it is anchored", () => {
    const search = (source: string) => parseRegex(source, { search: true });
    check(search("b"), ["b", ["abc", "b"], ["ac"]]);
    check(search("^b|c$"), ["^b|c$", ["bx", "xc"], ["xbx"]]);
    check(search("^$|(^(?:x y){0,2}z$)"), ["", ["", "z", "x yz"], ["az", "zz"]]);
    check(search("^([^,]|$)"), ["", ["", "a", "ab,"], [",", ",a"]]);
    check(search("(a|^)b($|c)d?"), ["", ["b", "ab", "xabcdx", "bcd"], ["xb", "bx", "xbc"]]);
  });

  it("is written as JSON writes it where it stands in a JSON string", () => {
    check(parseRegex('["\\n]', { json: true }), ["", ['\\"', "\\n"], ['"', "\n"]]);
  });

  it.each([
    ["a)", "a ) that was never opened"],
    ["(a", "a group that is never closed"],
    ["[a", "a [ that is never closed"],
    ["[c-a]", "a reversed range"],
    ["a\\", "a backslash at its end"],
    ["*a", "nothing to repeat"],
    ["a**", "nothing to repeat"],
    ["a++", "a possessive quantifier"],
    ["a{3,2}", "a count out of range"],
    ["a{999999}", "a count out of range"],
    ["(?=a)", "a look-around or an inline flag"],
    ["(?i)a", "a look-around or an inline flag"],
    ["(a)\\1", "a back-reference"],
    ["\\bword", "\\b, which is not supported"],
    ["\\p{Nonsense}", "Unicode property"],
    ["\\p", "Unicode property"],
    ["\\x4", "a bad \\x escape"],
    ["\\ud800", "a bad \\u escape"],
    ["\\u{110000}", "a bad \\u escape"],
    ["a^b", "an anchor in its middle"],
    ["(a$)b", "an anchor in its middle"],
    ["(^a)*", "an anchor in a group that is repeated"],
    ["(".repeat(300), "too deep a nesting"],
  ])("%s is refused by name", (source, why) => {
    expect(() => parseRegex(source)).toThrow(why);
  });
});

describe("EBNF", () => {
  const CASES: readonly Case[] = [
    ['root ::= "a" [b-d]+ (item | "x"){1,2}\nitem ::= .', ["abx", "addxy"], ["ab", "x"]],
    ["root ::= 'it''s' | \"\\x41\\u00e9\\U0001F642\\n\"", ["its", "Aé🙂\n"], ["it's"]],
    ['root ::= "a"{2} "b"{,2} "c"{1,} # a comment', ["aac", "aabbccc"], ["ac", "aabbbc"]],
    ["root ::= [^\\]a-] [é-ü]?", ["b", "xé", "🙂"], ["]", "a", "-"]],
    ['root ::= "" | "a"* "b"?', ["", "aab"], ["ba"]],
    ["root ::= [a\\-z]", ["-", "z"], ["m"]],
    ['root ::= root "a" | root "b" | "c"', ["c", "caab"], ["a", "ac"]],
    ['root ::= "🙂" [🙂-🙄]', ["🙂🙃"], ["🙂🙅"]],
  ];
  it.each(CASES)("%s", (...one) => check(parseEbnf(one[0]), one));

  it("begins with the rule that is named", () => {
    check(parseEbnf('a ::= "x"\nb ::= a a', "b"), ["", ["xx"], ["x"]]);
  });

  it.each([
    [30, '""', (before: string) => `${before} | ${before}`, ["a", "d"], ["", "x"]],
    [5_000, '"x"', (before: string) => `${before} | "y"`, ["ax", "dy"], ["a", "z"]],
    [5_000, '"x" | "y" | "z" | "w"', (before: string) => `${before} | ""`, ["ax", "d"], ["axx"]],
  ] as const)(
    "may nest alternatives %i deep, from %s on",
    (depth, innermost, around, taken, refused) => {
      const rules = Array.from({ length: depth }, (_, i) => `r${i + 1} ::= ${around(`r${i}`)}`);
      const root = `root ::= [a-c] r${depth} | "d" r${depth}`;
      check(parseEbnf([root, `r0 ::= ${innermost}`, ...rules].join("\n")), ["", taken, refused]);
    },
  );

  it.each([
    ["root ::= other", 'rule "other" is not defined'],
    ['root ::= "a"\nroot ::= "b"', 'rule "root" is defined twice'],
    ['start ::= "a"', 'there is no rule "root"'],
    ['"a"', "expected a rule"],
    ['root ::= ("a"', 'a "(" is never closed'],
    ['root ::= "a")', 'a ")" was never opened'],
    ['root ::= "a', 'a " is never closed'],
    ["root ::= [a", "a [ is never closed"],
    ["root ::= [b-a]", "is reversed"],
    ['root ::= "a"{x}', 'after "{" a count is expected'],
    ['root ::= "a"{}', 'after "{" a count is expected'],
    ['root ::= "a"{3,2}', "is out of range"],
    ['root ::= "\\xZZ"', "bad escape \\xZZ"],
    ['root ::= "\\U00110000"', "bad escape"],
    ['root ::= (="a")', "look-ahead is not supported"],
    ['root ::= "a" &', 'unexpected "&"'],
    ["root ::= *", 'unexpected "*"'],
    ['root ::= {2} "a"', 'unexpected "count"'],
    [`root ::= ${"(".repeat(300)}`, "nested too deeply"],
  ])("%s is refused by name", (source, why) => {
    expect(() => parseEbnf(source)).toThrow(why);
  });
});

describe("a structural tag", () => {
  const tag = (format: unknown) => compileStructuralTag({ format }, {});
  const text = { type: "const_string", value: "ok" };
  const call = { type: "tag", begin: "<a>", content: text, end: "</a>" };

  it.each([
    ["a constant", text, ["ok"], ["o"]],
    ["a pattern", { type: "regex", pattern: "a+" }, ["aa"], ["b"]],
    ["a grammar", { type: "grammar", grammar: 'root ::= "g"' }, ["g"], ["h"]],
    ["a schema", { type: "json_schema", json_schema: { const: 1 } }, ["1"], ["2"]],
    ["any schema", { type: "json_schema", json_schema: true }, ["[]"], ["["]],
    ["any text", { type: "any_text" }, ["", "é\n"], []],
    ["a sequence", { type: "sequence", elements: [text, text] }, ["okok"], ["ok"]],
    ["a choice", { type: "or", elements: [text, call] }, ["ok", "<a>ok</a>"], ["<a>"]],
    ["a tag", call, ["<a>ok</a>"], ["<a>ok"]],
    [
      "a tag of free text",
      { ...call, content: { type: "any_text" } },
      ["<a></a>", "<a>x < y</a>"],
      ["<a>x</a>y"],
    ],
    [
      "a tag of free text without an end",
      { ...call, content: { type: "any_text" }, end: "" },
      ["<a>x"],
      ["x"],
    ],
    [
      "triggered tags",
      { type: "triggered_tags", triggers: ["<a"], tags: [call] },
      ["", "free", "x<a>ok</a>y<a>ok</a>"],
      ["x<a>no</a>"],
    ],
    [
      "one triggered tag, at least",
      {
        type: "triggered_tags",
        triggers: ["<a"],
        tags: [call],
        at_least_one: true,
        stop_after_first: true,
      },
      ["x<a>ok</a>"],
      ["free", "<a>ok</a>y"],
    ],
    [
      "tags with a separator",
      { type: "tags_with_separator", tags: [call], separator: ";" },
      ["", "<a>ok</a>", "<a>ok</a>;<a>ok</a>"],
      ["<a>ok</a><a>ok</a>"],
    ],
    [
      "one tag of those with a separator",
      {
        type: "tags_with_separator",
        tags: [call],
        separator: ";",
        at_least_one: true,
        stop_after_first: true,
      },
      ["<a>ok</a>"],
      ["", "<a>ok</a>;<a>ok</a>"],
    ],
  ] as const)("is %s", (_, format, taken, refused) => {
    check(tag(format), ["", taken, refused]);
  });

  it("is read in its older form", () => {
    const structures = [
      { begin: "<a>", schema: { const: 1 }, end: "</a>" },
      { begin: "<b>", end: "" },
    ];
    const node = compileStructuralTag({ structures, triggers: ["<"] }, {});
    check(node, ["", ["x<a>1</a>", "<b>null"], ["<a>2</a>", "<c>"]]);
  });

  let deep: object = text;
  for (let depth = 0; depth < 40; depth++) deep = { type: "sequence", elements: [deep] };
  it.each([
    [undefined, '"structural_tag.format" must be an object'],
    [{ type: "poem" }, 'unknown type "poem"'],
    [{ type: "const_string", value: 1 }, '"value" must be a string'],
    [{ type: "sequence", elements: [] }, '"elements" must be a list that is not empty'],
    [{ type: "or", elements: ["a"] }, '"elements" must be an object'],
    [{ type: "json_schema", json_schema: 1 }, '"json_schema" must be a schema'],
    [{ ...call, content: 1 }, '"content" must be an object'],
    [
      { type: "triggered_tags", triggers: ["<b"], tags: [call] },
      'no tag begins with the trigger "<b"',
    ],
    [
      { type: "triggered_tags", triggers: ["<a"], tags: [call, { ...call, begin: "<b>" }] },
      'no trigger begins the tag "<b>"',
    ],
    [{ type: "tags_with_separator", tags: [call] }, '"separator" must be a string'],
    [deep, "nested too deeply"],
  ])("%j is refused by name", (format, why) => {
    expect(() => tag(format)).toThrow(why);
  });
});
