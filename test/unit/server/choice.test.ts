import { describe, expect, it } from "vitest";
import type { FinishReason } from "../../../engine/sequence.ts";
import type { Decoder } from "../../../models/model.ts";
import { Choice, type ChoiceDelta, type TextOptions } from "../../../server/generation/choice.ts";
import { measured } from "../../../server/generation/stop-strings.ts";
import { toolWish } from "../../../server/generation/tools/choice.ts";

/** Ids are characters; id 0 says nothing until the next one comes. */
function decoder(): Decoder {
  let held = "";
  return {
    push: (id) => {
      if (id === 0) {
        held += "?";
        return "";
      }
      const text = held + String.fromCharCode(id);
      held = "";
      return text;
    },
    end: () => held,
  };
}

const ids = (text: string): number[] => [...text].map((letter) => letter.charCodeAt(0));

function choice(options: Partial<TextOptions> = {}) {
  const deltas: ChoiceDelta[] = [];
  const made = new Choice(
    0,
    { includeStop: false, minTokens: 0, decoder, ...options },
    (changed) => {
      const delta = changed.take();
      if (delta !== undefined) deltas.push(delta);
    },
  );
  const emit = (tokens: readonly number[]): void =>
    made.receive({ type: "tokens-emitted", id: 1, at: 0, tokens, drafted: 0, accepted: 0 });
  const finish = (reason: FinishReason, stopTokenId?: number): void =>
    made.receive({
      type: "request-finished",
      id: 1,
      at: 0,
      reason,
      promptTokens: 1,
      cachedTokens: 0,
      outputTokens: made.tokens,
      ...(stopTokenId !== undefined && { stopTokenId }),
    });
  return { made, deltas, emit, finish, text: () => deltas.map((delta) => delta.text).join("") };
}

describe("Choice", () => {
  it("gives one delta for each step, and the end with the last", () => {
    const { made, deltas, emit, finish } = choice();
    emit(ids("a"));
    made.flush();
    emit(ids("bc"));
    emit(ids("d"));
    made.flush();
    finish("length");
    made.flush();
    expect(deltas.map((delta) => delta.text)).toEqual(["a", "bc", "d", ""]);
    expect(deltas.at(-1)?.finish).toEqual({ reason: "length", stopReason: null });
    const other = choice();
    other.emit(ids("x"));
    other.emit(ids("y"));
    other.finish("length");
    other.made.flush();
    expect(other.deltas.map((delta) => [delta.text, delta.finish?.reason])).toEqual([
      ["x", undefined],
      ["y", "length"],
    ]);
  });

  it.each([
    { interval: undefined, calls: ["a more", "bc more", "d", "e"] },
    { interval: 2, calls: ["a", "bc", "de"] },
  ])("says with a delta whether another follows in the flush (%j)", ({ interval, calls }) => {
    const found: string[] = [];
    const options = { includeStop: false, minTokens: 0, decoder };
    const made = new Choice(0, interval ? { ...options, interval } : options, (changed, more) => {
      found.push(`${changed.take()?.text}${more ? " more" : ""}`);
    });
    const emit = (text: string): void =>
      made.receive({
        ...{ type: "tokens-emitted", id: 1, at: 0, tokens: ids(text), drafted: 0, accepted: 0 },
      });
    for (const text of ["a", "bc", "d"]) emit(text);
    made.flush();
    emit("e");
    made.flush();
    expect(found).toEqual(calls);
  });

  it("knows when it was first scheduled, and when its tokens came", () => {
    const { made } = choice();
    const scheduled = (at: number, resumed: boolean): void =>
      made.receive({ type: "request-scheduled", id: 1, at, cachedTokens: at, resumed });
    const emitted = (at: number): void =>
      made.receive({
        type: "tokens-emitted",
        id: 1,
        at,
        tokens: ids("a"),
        drafted: 0,
        accepted: 0,
      });
    scheduled(5, false);
    emitted(7);
    scheduled(8, true); // after a preemption
    emitted(9);
    made.flush();
    expect(made.times).toEqual({ scheduled: 5, firstToken: 7, last: 9 });
    expect(made.cached).toBe(5);
  });

  it("counts the token that ends an output but does not say it", () => {
    const { made, deltas, emit, finish, text } = choice();
    emit(ids("ab"));
    emit(ids("$"));
    finish("stop", 36);
    made.flush();
    expect(text()).toBe("ab");
    expect(deltas.at(-1)).toMatchObject({
      ids: ids("$"),
      finish: { reason: "stop", stopReason: 36 },
    });
    expect(made.tokens).toBe(3);
  });

  it("says it with include_stop_str_in_output", () => {
    const { made, emit, finish, text } = choice({ includeStop: true });
    emit(ids("ab$"));
    finish("stop");
    made.flush();
    expect(text()).toBe("ab$");
  });

  it("stops at a stop string and drops what was drawn after it", () => {
    const { made, deltas, emit, text } = choice({ stop: measured(["cd"]) });
    emit(ids("abc"));
    made.flush();
    expect(text()).toBe("ab");
    emit(ids("dxyz"));
    made.flush();
    expect(text()).toBe("ab");
    expect(made.tokens).toBe(4);
    expect(deltas.at(-1)?.finish).toEqual({ reason: "stop", stopReason: "cd" });
    emit(ids("more"));
    made.flush();
    expect(deltas).toHaveLength(2);
  });

  it("looks for stop strings only after min_tokens", () => {
    const { made, emit, finish, text } = choice({ stop: measured(["b"]), minTokens: 2 });
    emit(ids("abab"));
    finish("length");
    made.flush();
    expect(text()).toBe("aba");
    expect(made.finish?.stopReason).toBe("b");
  });

  it("gives what the stop strings held at the end, not half a character", () => {
    const { made, emit, finish, text } = choice({ stop: measured(["<<<"]) });
    emit([...ids("a<"), 0]);
    finish("length");
    made.flush();
    expect(text()).toBe("a<");
  });

  it("tells of its end once, also when nobody takes what came before", () => {
    let ends = 0;
    const made = new Choice(
      0,
      { stop: measured(["b"]), includeStop: false, minTokens: 0, decoder },
      (changed) => {
        if (changed.finish !== undefined) ends++;
      },
    );
    for (const letter of "abcd") {
      made.receive({
        type: "tokens-emitted",
        id: 1,
        at: 0,
        tokens: ids(letter),
        drafted: 0,
        accepted: 0,
      });
    }
    made.flush();
    made.flush();
    expect(ends).toBe(1);
    expect(made.take()).toMatchObject({ text: "a", finish: { stopReason: "b" } });
  });

  it("joins what was not taken", () => {
    const made = new Choice(0, { includeStop: false, minTokens: 0, decoder }, () => {});
    for (const letter of "abc") {
      made.receive({
        type: "tokens-emitted",
        id: 1,
        at: 0,
        tokens: ids(letter),
        drafted: 0,
        accepted: 0,
      });
      made.flush();
    }
    expect(made.take()).toMatchObject({ text: "abc", ids: ids("abc") });
    expect(made.take()).toBeUndefined();
  });

  it("serves ids without a tokenizer", () => {
    const made = new Choice(0, { includeStop: false, minTokens: 0 }, () => {});
    made.receive({ type: "tokens-emitted", id: 1, at: 0, tokens: [5, 6], drafted: 0, accepted: 0 });
    made.flush();
    expect(made.take()).toMatchObject({ text: "", ids: [5, 6] });
  });
});

describe("the tools of a request", () => {
  const parametersOf = (parameters: object | undefined) =>
    toolWish({
      tools: [{ type: "function", function: { name: "f", ...(parameters && { parameters }) } }],
    } as Parameters<typeof toolWish>[0])?.schemas[0]?.parameters;

  it("take nothing where they name no properties, and what they say where they say it", () => {
    const none = { type: "object", additionalProperties: false };
    expect(parametersOf(undefined)).toEqual(none);
    expect(parametersOf({})).toEqual(none);
    expect(parametersOf({ type: "object" })).toEqual(none);
    expect(parametersOf({ type: "object", title: "T" })).toEqual({ ...none, title: "T" });
    const asTheyAre = [
      { type: "object", properties: { a: { type: "string" } } },
      { type: "object", additionalProperties: true },
      { anyOf: [{ type: "object" }] },
    ];
    for (const parameters of asTheyAre) expect(parametersOf(parameters)).toEqual(parameters);
  });
});
