/** Expressions of chat templates print what Jinja prints. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { createChatTemplate } from "../../../models/tokenizer/chat-template.ts";

const GOLDENS = JSON.parse(
  readFileSync(new URL("jinja-goldens.json", import.meta.url), "utf8"),
) as readonly { readonly template: string; readonly printed: string }[]; // by scripts/maintain/goldens/jinja.py

const variables = { x: [" a ", "b "], n: [1, 2, 3.5], d: { k: 1, a: 2 } };

function print(template: string): string {
  const tokens = {};
  const made = createChatTemplate({ templates: new Map([["default", template]]), tokens });
  return made.render({ messages: [], variables });
}

describe("templates print as Jinja does", () => {
  for (const { template, printed } of GOLDENS)
    it(template, () => expect(print(template)).toBe(printed));

  it.each([
    ["{{ x | map('nothing') }}", 'the filter "nothing" is not known'],
    ["{{ x | select('nothing') | list }}", 'the test "nothing" is not known'],
    ["{{ '{} {}'.format(1) }}", "format() lacks the argument"],
    ["{{ 'a'.index('b') }}", "substring not found"],
    ["{{ n.rsplit('a') }}", "has no method rsplit"],
  ])("%s: an error that says what is wrong", (template, message) => {
    expect(() => print(template)).toThrow(message);
  });
});
