/** Words in another tokenizer's ids: here characters, said by a model of whole words. */
import { describe, expect, it } from "vitest";
import type { Batch, BatchRow, Device, Sampled, StepResult } from "../../../device/device.ts";
import type { Tokenizer } from "../../../models/model.ts";
import { RetoldWords } from "../../../server/world/retell.ts";

const STORY = [" a", " dog", " ran", ".", " It", " sat", " down", "<end>"];
const END = STORY.length - 1;
const COUNTED_END = 3;

function tokenizer(encode: (text: string) => number[], decode: (id: number) => string): Tokenizer {
  const unused = () => {
    throw new Error("not asked for");
  };
  return {
    vocabSize: 128,
    specialIds: new Set<number>(),
    encode: async (text) => Int32Array.from(encode(text)),
    decode: (ids) => Array.from(ids, decode).join(""),
    bytes: unused,
    token: unused,
    id: unused,
    decoder: unused,
  };
}

const characters = tokenizer(
  (text) => Array.from(text, (character) => character.charCodeAt(0)),
  (id) => String.fromCharCode(id),
);
/** An id a character, or three for each where a text has to be spelt. */
const words = tokenizer(
  (text) => Array.from({ length: text.includes("#") ? 3 * text.length : text.length }, () => 0),
  (id) => STORY[id] ?? "",
);

/** Says the story from wherever the context of 8 prompt ids has come to. */
function storyteller(asked: number[], lengths: number[] = []): Device {
  const execute = ({ rows }: Batch, done: (result: StepResult) => void): void => {
    const sampled = new Map<number, Sampled>();
    for (const { id, context } of rows) {
      asked.push(id);
      lengths.push(context.length);
      sampled.set(id, { tokens: [Math.min(END, context.length - PROMPT.length)], accepted: 0 });
    }
    done({ ok: true, sampled });
  };
  const limits = {} as Device["limits"]; // nobody asks
  const can = { draft: false, promptLogprobs: true, grammar: true, hidden: false, adapters: false };
  return {
    ...{ name: "story", limits, vocabSize: 8, can, execute },
    release: () => {},
    close: async () => {},
  };
}

const PROMPT = "There is";

function retold(ends = true) {
  const asked: number[] = [];
  const lengths: number[] = [];
  const forgotten: number[] = [];
  const device = new RetoldWords(storyteller(asked, lengths), {
    counted: characters,
    words,
    countedEnd: ends ? COUNTED_END : undefined,
    wordsEnds: new Set([END]),
    forget: (id) => void forgotten.push(id),
  });
  const step = async (id: number, text: string, guesses = ""): Promise<Sampled> => {
    const context = Int32Array.from(text + guesses, (character) => character.charCodeAt(0));
    const row: BatchRow = {
      ...{ id, context, start: 0, count: context.length, blocks: [] },
      ...{ drafted: guesses.length, want: "last" },
    };
    const result = await new Promise<StepResult>((resolve) => {
      device.execute({ step: 0, rows: [row], copies: [] }, resolve);
    });
    if (!result.ok) throw result.error;
    return result.sampled.get(id) ?? { tokens: [], accepted: 0 };
  };
  return { device, step, asked, lengths, forgotten };
}

const said = ({ tokens }: Sampled): string => String.fromCharCode(...tokens);

describe("RetoldWords", () => {
  it("tells the story id by id, and ends with the counted end", async () => {
    const { step } = retold();
    let text = PROMPT;
    for (;;) {
      const sampled = await step(1, text);
      if (sampled.tokens[0] === COUNTED_END) break;
      text += said(sampled);
    }
    expect(text).toBe("There is a dog ran. It sat down");
    expect(said(await step(1, text))).toBe(String.fromCharCode(COUNTED_END));
  });

  it("is asked again without another word from the model", async () => {
    const { step, asked } = retold();
    expect(said(await step(1, PROMPT))).toBe(" ");
    const count = asked.length;
    expect(said(await step(1, PROMPT))).toBe(" ");
    expect(said(await step(1, `${PROMPT} `))).toBe("a");
    expect(asked).toHaveLength(count);
  });

  it("accepts guesses that hold", async () => {
    const { step } = retold();
    expect(await step(1, PROMPT, " a do")).toMatchObject({ accepted: 5 });
    expect(await step(2, PROMPT, " a cat")).toMatchObject({ accepted: 3 });
    expect(said(await step(2, `${PROMPT} a `))).toBe("d");
  });

  it("goes on where counted answers have no end, and forgets what is over", async () => {
    const { device, step, forgotten } = retold(false);
    const sampled = await step(1, PROMPT, " a dog ran. It sat down");
    expect(sampled.accepted).toBe(23);
    expect(sampled.tokens.at(-1)).toBe("\n".charCodeAt(0));
    device.release([1]);
    expect(forgotten).toEqual([1]);
    expect(said(await step(1, PROMPT))).toBe(" ");
  });

  it("begins a story where it would have to spell the prompt", async () => {
    const { step, lengths } = retold();
    await step(1, "#@!".repeat(50));
    expect(lengths[0]).toBe("Once upon a time".length);
  });

  it("refuses to score prompts", async () => {
    const { device } = retold();
    const row: BatchRow = {
      ...{ id: 4, context: Int32Array.of(1), start: 0, count: 1, drafted: 0, blocks: [] },
      want: "all",
    };
    const result = await new Promise<StepResult>((resolve) => {
      device.execute({ step: 0, rows: [row], copies: [] }, resolve);
    });
    expect(result.ok === false && result.culprits).toEqual([4]);
  });
});
