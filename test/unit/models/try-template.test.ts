import { describe, expect, it } from "vitest";
import { createChatTemplate } from "../../../models/tokenizer/chat-template.ts";
import { faultOf } from "../../../models/tokenizer/try-template.ts";

const fault = (text: string) =>
  faultOf(createChatTemplate({ templates: new Map([["default", text]]), tokens: {} }));
const LOOP = "{% for m in messages %}{{ m.content }}{% endfor %}";

describe("a template tried at the start", () => {
  it.each([
    LOOP,
    `{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}${LOOP}`,
  ])("may be used: %s", (text) => expect(fault(text)).toBeUndefined());

  it.each([
    ["{% for m in messages %}", /does not compile/],
    ["{{ messages | nothing }}", /cannot render a question: Unknown ArrayValue filter: nothing/],
    [`{% if tools %}{{ tools | xmlattr }}{% endif %}${LOOP}`, /cannot render tools: Unknown/],
    ["{{ messages[0].content.explode() }}", /cannot render a question: Cannot call something/],
  ])("is of no use: %s", (text, message) => {
    expect(fault(text)?.fatal).toBe(true);
    expect(fault(text)?.sentence).toMatch(message);
  });

  it("may lack what some conversations need: then it is told", () => {
    expect(fault(`{% for t in tools %}{{ t.type }}{% endfor %}${LOOP}`)).toEqual({
      sentence: expect.stringMatching(/cannot render a question/),
      fatal: false,
    });
  });
});
