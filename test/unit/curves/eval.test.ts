/** What an evaluation takes for right, and what two of them are said to differ in. */
import { describe, expect, it } from "vitest";
import { tpotOf } from "../../../scripts/commands/eval/ask.ts";
import { compareEvals, mcnemar } from "../../../scripts/commands/eval/compare.ts";
import { readItems } from "../../../scripts/commands/eval/items.ts";
import { type EvalAnswer, type EvalResult, wilson } from "../../../scripts/commands/eval/result.ts";
import { firstNamed, isRight } from "../../../scripts/commands/eval/score.ts";

const output = (text: string, call?: { name: string; arguments: string }) => ({
  ...{
    text,
    reasoning: "",
    calls: call === undefined ? [] : [call],
    finish: "stop",
    times: [1],
    ms: 1,
  },
});
const expected = (expect: object) => {
  const [item] = readItems(JSON.stringify({ prompt: "x", expect }));
  if (item === undefined) throw new Error("no item");
  return item.expect;
};

describe("an answer", () => {
  it.each([
    [{ text: "red" }, "  Red ball", "A red ball"],
    [{ regex: "^\\d+$" }, "42", "42."],
    [{ choice: "no", choices: ["yes", "no"] }, "No, and yes.", "Not yes, no"],
    [
      { json: { a: 1, b: { c: [2] } } },
      '{"a": 1, "b": {"c": [2], "d": 3}}',
      '{"a": 1, "b": {"c": [3]}}',
    ],
    [{ json: [1, 2] }, "[1,2]", "no JSON"],
  ])("%j is right or wrong", (expect_, right, wrong) => {
    expect(isRight(expected(expect_), output(right))).toBe(true);
    expect(isRight(expected(expect_), output(wrong))).toBe(false);
  });

  it("that calls a tool is right by name and arguments", () => {
    const call = { name: "look", arguments: '{"city": "Rome", "days": 2}' };
    expect(isRight(expected({ call: { name: "look" } }), output("", call))).toBe(true);
    expect(
      isRight(expected({ call: { name: "look", arguments: { city: "Rome" } } }), output("", call)),
    ).toBe(true);
    expect(
      isRight(expected({ call: { name: "look", arguments: { city: "Oslo" } } }), output("", call)),
    ).toBe(false);
    expect(isRight(expected({ call: { name: "see" } }), output("", call))).toBe(false);
    expect(isRight(expected({ call: { name: "look" } }), output("look"))).toBe(false);
  });

  it("names a choice as a word, the longer of two at one place", () => {
    expect(firstNamed("Nobody said (B).", ["A", "B"])).toBe("B");
    expect(firstNamed("not sure", ["no", "not sure"])).toBe("not sure");
    expect(firstNamed("Über alles", ["über", "all"])).toBe("über");
    expect(firstNamed("nothing", ["no"])).toBeUndefined();
  });
});

describe("a pace", () => {
  it("is told by pieces that are as many as the tokens, or half of them", () => {
    expect(tpotOf([5, 15, 25, 35], 4)).toBe(10);
    expect(tpotOf([0, 10, 20], 6)).toBe(4);
    expect(tpotOf([0, 10, 20], 7)).toBeUndefined();
    expect(tpotOf([0, 10], 2)).toBeUndefined();
    expect(tpotOf([], 0)).toBeUndefined();
  });
});

describe("a file of questions", () => {
  it("asks a chat, or a text to go on with, the other fields as they are", () => {
    const items = readItems(
      '{"prompt": "x", "top_k": 1, "expect": {"text": "y"}}\n\n{"id": "r", "raw": true, "prompt": "x", "expect": {"text": "y"}}',
    );
    expect(items.map(({ id, path, body }) => [id, path, body])).toEqual([
      ["1", "/v1/chat/completions", { top_k: 1, messages: [{ role: "user", content: "x" }] }],
      ["r", "/v1/completions", { prompt: "x" }],
    ]);
  });

  it.each([
    ["{", "Line 1: "],
    ['{"prompt": "x"}', "Line 1: expect must be an object"],
    ['{"expect": {"text": "x"}}', "Line 1: it has neither a prompt nor messages"],
    ['{"prompt": "x", "expect": {}}', "expect.text, regex, choice, json or call"],
    ['{"prompt": "x", "expect": {"choice": "a", "choices": ["b"]}}', "expect.choices must hold"],
    ['{"prompt": "x", "expect": {"call": {}}}', "expect.call.name"],
    [
      '{"id": 1, "prompt": "x", "expect": {"text": "y"}}\n{"id": "1", "prompt": "x", "expect": {"text": "y"}}',
      'id "1" stands twice',
    ],
    ["", "asks nothing"],
  ])("%s is refused", (text, why) => {
    expect(() => readItems(text)).toThrow(why);
  });
});

describe("intervals", () => {
  it("are Wilson's", () => {
    const [low, high] = wilson(8, 10); // as R's prop.test without correction
    expect(low).toBeCloseTo(0.4902, 3);
    expect(high).toBeCloseTo(0.9433, 3);
    expect(wilson(0, 10)[0]).toBe(0);
  });

  it("p is McNemar's exact one", () => {
    expect(mcnemar(0, 0)).toBe(1);
    expect(mcnemar(6, 0)).toBeCloseTo(2 * 0.5 ** 6, 12);
    expect(mcnemar(1, 5)).toBeCloseTo((2 * 7) / 64, 12);
    expect(mcnemar(3, 3)).toBe(1);
  });
});

describe("two evaluations", () => {
  const run = (right: (at: number) => boolean, ms: number, count = 100): EvalResult => ({
    ...{ eval: 1, model: "m", command: "c", concurrency: 1, seconds: 1 },
    questions: { name: "q", sha256: "s" },
    answers: Array.from(
      { length: count },
      (_, at): EvalAnswer => ({
        ...{ id: String(at), kind: at % 2 === 0 ? "text" : "json", right: right(at), text: "" },
        ...{ outputTokens: 10, ttftMs: ms + (at % 7), tpotMs: ms },
      }),
    ),
  });

  it("differ in what one alone has right, kind by kind", () => {
    const { quality } = compareEvals(
      run(() => true, 10),
      run((at) => at % 10 !== 0, 10),
    );
    expect(quality.map(({ kind, items, lost, won }) => [kind, items, lost, won])).toEqual([
      ["text", 50, 10, 0],
      ["json", 50, 0, 0],
      ["all", 100, 10, 0],
    ]);
    const all = quality[2];
    expect(all?.p).toBeLessThan(0.05);
    expect(all?.interval[0]).toBeLessThan(-0.1);
    expect(all?.interval[1]).toBeLessThan(0);
  });

  it("that are as good by other questions do not differ", () => {
    const { quality } = compareEvals(
      run((at) => at % 10 !== 0, 10),
      run((at) => at % 10 !== 1, 10),
    );
    const all = quality.at(-1);
    expect(all).toMatchObject({ lost: 10, won: 10, p: 1 });
    expect(all?.interval[0]).toBeLessThan(0);
    expect(all?.interval[1]).toBeGreaterThan(0);
  });

  it("differ in time by the ratio of medians", () => {
    const { times, alone } = compareEvals(
      run(() => true, 10),
      run(() => true, 20, 90),
    );
    expect(alone).toBe(10);
    const [ttft, tpot] = times;
    expect(tpot).toMatchObject({ a: 10, b: 20, ratio: 2, interval: [2, 2] });
    expect(ttft?.ratio).toBeCloseTo(23 / 13, 2);
  });
});
