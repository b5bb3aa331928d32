import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { measured, StopStrings } from "../../../server/generation/stop-strings.ts";

/** Runs pieces through, to the stop or the end. */
function run(pieces: readonly string[], stops: readonly string[], include = false) {
  const finder = new StopStrings(measured(stops), include);
  let text = "";
  for (const piece of pieces) {
    const found = finder.push(piece);
    text += found.text;
    if (found.stop !== undefined) return { text, stop: found.stop };
  }
  return { text: text + finder.end(), stop: undefined };
}

describe("StopStrings", () => {
  it("ends before the stop string, or after it", () => {
    expect(run(["Hello wo", "rld, and"], ["world"])).toEqual({ text: "Hello ", stop: "world" });
    expect(run(["Hello wo", "rld, and"], ["world"], true)).toEqual({
      text: "Hello world",
      stop: "world",
    });
  });

  it("holds back the longest one's length but one, in whole characters", () => {
    const finder = new StopStrings(measured(["###", "#"]), false);
    expect(finder.push("text").text).toBe("te");
    expect(finder.push(" a🐈").text).toBe("xt ");
    expect(finder.push("b").text).toBe("a");
    expect(finder.end()).toBe("🐈b");
  });

  it("takes the one that is complete first, of equals the one listed first", () => {
    expect(run(["abcd"], ["abcd", "bc", "abc"])).toEqual({ text: "a", stop: "bc" });
  });

  it("finds none that ends before it may, but one that begins there", () => {
    const finder = new StopStrings(measured(["ab"]), false);
    expect(finder.push("aba", false)).toEqual({ text: "ab" });
    expect(finder.push("b")).toEqual({ text: "", stop: "ab" });
  });

  it("finds a stop string that overlaps its own start", () => {
    expect(run(["aa", "ab"], ["aab"])).toEqual({ text: "a", stop: "aab" });
  });

  it("steps over what goes out, not over what a long one holds back", () => {
    const pieces = Array.from({ length: 20_000 }, (_, i) => `${i} 🐈 `);
    const text = pieces.join("");
    expect(run(pieces, ["never".repeat(4_000)])).toEqual({ text, stop: undefined });
  });

  it("gives the same for any split of the text", () => {
    const letters = fc.string({ unit: fc.constantFrom("a", "b", "c"), maxLength: 40 });
    const stop = fc.string({ unit: fc.constantFrom("a", "b", "c"), minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(
        letters,
        fc.array(stop, { minLength: 1, maxLength: 3 }),
        fc.boolean(),
        fc.array(fc.nat(40), { maxLength: 12 }),
        (text, stops, include, cuts) => {
          const points = [0, ...cuts.filter((cut) => cut < text.length).sort((a, b) => a - b)];
          const pieces = points.map((from, index) => text.slice(from, points[index + 1]));
          // The truth, one character at a time: the first stop string that is complete.
          let expected: { text: string; stop: string | undefined } = { text, stop: undefined };
          for (let end = 1; end <= text.length && expected.stop === undefined; end++) {
            const done = stops.filter((one) => text.slice(0, end).endsWith(one)).at(0);
            if (done === undefined) continue;
            expected = { text: text.slice(0, include ? end : end - done.length), stop: done };
          }
          const byCharacter = run([...text], stops, include);
          expect(byCharacter).toEqual(expected);
          // A piece may hold several matches; the one that is complete first wins.
          const split = run(pieces, stops, include);
          expect(split).toEqual(expected);
        },
      ),
    );
  });
});
