/** Where a JSON value ends, told by the character: as JSON.parse finds it. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { JsonValueScan } from "../../../server/generation/tools/json-text.ts";

/** How many characters are the value's, read before what follows it. */
function lengthOf(text: string, after: string): number {
  const scan = new JsonValueScan();
  const all = text + after;
  for (let at = 0; at < all.length; at++) {
    const said = scan.push(all.charAt(at));
    if (said === "end") return at + 1;
    if (said === "over") return at;
  }
  return Number.NaN;
}

it("a value ends where it does, whatever stands in its texts and whatever follows", () => {
  const follows = fc.constantFrom(",", "}", "]", " ", '\n"x"');
  fc.assert(
    fc.property(fc.jsonValue(), follows, (value, after) => {
      const text = JSON.stringify(value);
      expect(lengthOf(text, after)).toBe(text.length);
    }),
  );
  for (const [text, after] of [
    ['"a\\"}"', ","],
    ['{"a":"]"}', ","],
    ["-1.5e3", "}"],
    ["true", " "],
  ] as const)
    expect(lengthOf(text, after)).toBe(text.length);
});
