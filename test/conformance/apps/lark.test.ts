/** Lark grammars; each list below was put to Lark 1.2 (Earley, complete dynamic lexer) as well. */
import { describe, expect, it } from "vitest";
import { Automaton } from "../../../server/grammar/automaton.ts";
import { buildGrammar } from "../../../server/grammar/spec.ts";

const run = (text: string) => {
  const automaton = new Automaton(buildGrammar({ kind: "grammar", text }));
  return (sample: string) => automaton.accepts(sample);
};

interface Case {
  readonly name: string;
  readonly grammar: string;
  readonly yes: readonly string[];
  readonly no: readonly string[];
}

const CASES: readonly Case[] = [
  {
    name: "terminals, ranges, repeats and optional parts",
    grammar: `
// a comment
start: greeting ("," NAME)* ["!"] # another
?greeting: "hello"i | /hi+/
NAME.2: ("a".."z")+ DIGIT~1..2
DIGIT: "0".."9"
`,
    yes: ["hello", "HeLLo,ab1!", "hiii,x12,y3", "hi!"],
    no: ["", "h", "hello,ab", "hi,x123", "Hi", "hello!!", "hello ,ab1"],
  },
  {
    name: "what is ignored, between terminals and around all of them",
    grammar: `
start: pair+
pair: CNAME "=" (SIGNED_NUMBER | ESCAPED_STRING) ";"
%import common (CNAME, SIGNED_NUMBER, ESCAPED_STRING)
%import common.WS
%import common.CPP_COMMENT -> NOTE
%ignore WS
%ignore NOTE
`,
    yes: ["a=1;", ' a = -1.5e3 ;\n b_2="x\\"y" ; ', "a=1; // one\n b=.5;"],
    no: ["a=1", "a b=1;", "a=1;b", "a=- 1;", "2a=1;", 'a="x;'],
  },
  {
    name: "left recursion",
    grammar: `
?start: sum
?sum: product | sum "+" product -> add | sum "-" product -> sub
?product: atom
  | product "*" atom -> mul
?atom: /[0-9]+/ | "(" sum ")"
`,
    yes: ["1", "1+2-3", "2*(3+4)*5-1", "((7))"],
    no: ["", "+1", "1+", "(1", "1**2", "1 + 2"],
  },
  {
    name: "flags of patterns and escapes of texts",
    grammar: 'start: /a.c/s /[b-d]+/i "\\x41\\u00e9\\n\\"\\\\" /x\\/y/',
    yes: ['a\ncBdCAé\n"\\x/y', 'abcbAé\n"\\x/y'],
    no: ["Abcb", 'a\ncAé\n"\\x/y', 'abceAé\n"\\x/y'],
  },
  {
    name: "counts, and letters without a case",
    grammar: 'start: "a"? "b"~2 /[0-9]+/i "\\q"',
    yes: ["bb1\\q", "abb12\\q"],
    no: ["b1\\q", "abbb1\\q", "bb1q"],
  },
];

describe.each(CASES)("$name", ({ grammar, yes, no }) => {
  const test = run(grammar);
  it.each(yes)("takes %j", (sample) => expect(test(sample)).toBe(true));
  it.each(no)("refuses %j", (sample) => expect(test(sample)).toBe(false));
});

it("holds values of a schema where %json stands", () => {
  const test = run(
    'start: "call(" %json { "type": "object", "properties": { "a}": { "type": "integer" } } } ")"',
  );
  expect(test('call({"a}": 3})')).toBe(true);
  expect(test('call({"a}": "3"})')).toBe(false);
});

it.each([
  ["start: a", '"a" is not defined'],
  ["begin: /x/", 'no rule "start"'],
  ["start: /x/\nstart: /y/", "defined twice"],
  ["start: A\nA: b\nb: /x/", "terminal cannot be made of the rule"],
  ["start: sep{x}\nsep{y}: y", "unexpected"],
  ["sep{y}: y\nstart: /x/", "template"],
  ["%import python.NAME\nstart: NAME", "only of common"],
  ["%import common.NOPE\nstart: NOPE", "common.NOPE is unknown"],
  ["%declare X\nstart: X", "%declare is not supported"],
  ['start: ("a"', "never closed"],
  ['start: "a" )', "unexpected"],
  ['start: "b".."a"', "range"],
  ["start: /x/m", 'flag "m"'],
  ['start: a\na: b\nb: a "x" | "y"', "refers to itself"],
  ['start: "a"~3..2', "empty"],
  ["start: %json [1]", "never closed"],
  ["start: /(?=a)b/", "look-around"],
  ['start: /x/\n"a": /y/', 'expected a rule, found "a"'],
  ['start: /x/\n%json {"type": "null"}', "expected a rule, found %json"],
  ['start: /x/\nother "a"', 'expected ":" after "other"'],
  ["%import common (WS\nstart: WS", 'a "(" of %import is never closed'],
  ["%import common WS\nstart: WS", "expected a name after %import common"],
  ['%import "x"', 'expected a name, found "x"'],
  ["%import\nstart: /x/", "expected a name, found the end of a line"],
  ["start: /x/\n%import", "it ends too early"],
  [`start: ${"(".repeat(300)}`, "nested too deeply"],
  ['start: "a"../x/', "range"],
  ['start: "a"~b', 'expected a count, found "b"'],
  ['start: "a"~999999', "expected a count"],
  ["start: §x", 'unexpected "§x"'],
  ['start: %json {"a" 1}', "%json needs a JSON schema"],
  ['start: "\\ud800"', "is no character"],
  ['start: "\\U00110000"', "is no character"],
])("refuses %j", (grammar, reason) => {
  expect(() => run(grammar)).toThrow(reason);
});
