import { expect, it } from "vitest";
import { customInput } from "../../../server/openai/responses/custom-input.ts";

const TEXTS = ["ls -la", 'a "quoted" \\ word', "zażółć 🐈\n\ttab", "", "\u0007 bell"];

it.each(TEXTS)("grows only, and ends as %j", (text) => {
  const args = JSON.stringify({ input: text });
  let told = "";
  for (let end = 0; end <= args.length; end++) {
    const input = customInput(args.slice(0, end), false);
    expect(input.startsWith(told)).toBe(true);
    expect(text.startsWith(input)).toBe(true);
    told = input;
  }
  expect(told).toBe(text);
  expect(customInput(args, true)).toBe(text);
});

it("is the arguments themselves where they are something else", () => {
  expect(customInput('{"city": "Paris"}', true)).toBe('{"city": "Paris"}');
  expect(customInput("plain", true)).toBe("plain");
  expect(customInput('{"city": "Paris', false)).toBe("");
});
