import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import { TextChunk } from "../../../server/openai/events.ts";

describe("a chunk that is text alone", () => {
  // The last is what stands in for a text while the rest is written.
  it.each([
    "",
    " plain words, 1 + 1 = 2; {a: [b]} ~",
    'quoted "so" and \\ so',
    "lines\nand\ttabs\u0000\u007f",
    "größer, 東京, 🚂",
    "\ud83d",
    "\u2028</script>",
    "the text of this chunk",
  ])("is JSON's own of %j", (text) => {
    const make = (content: string) => ({
      ...{ id: 'a "the text of this chunk"', model: "the text of this chunk, ü" },
      choices: [{ index: 3, delta: { content }, logprobs: null }],
    });
    const chunk = new TextChunk(make);
    const told = (content: string): string =>
      Buffer.from(chunk.event(content).data, "latin1").toString("utf8");
    expect(told("another")).toBe(JSON.stringify(make("another")));
    expect(told(text)).toBe(JSON.stringify(make(text)));
  });

  it.each([12, 13, 16])(
    "keeps nothing of what its text of %d characters was cut from",
    (length) => {
      setFlagsFromString("--expose-gc");
      const collect = runInNewContext("gc") as () => void; // V8's own, by the flag
      const chunk = new TextChunk((text) => ({ text }));
      collect();
      const before = process.memoryUsage().heapUsed;
      for (let i = 0; i < 400; i++) {
        const whole = Buffer.from(`${"y".repeat(50_000)}${String(i).padStart(16, "-")}`).toString();
        chunk.event(whole.slice(-length));
      }
      collect();
      expect(process.memoryUsage().heapUsed - before).toBeLessThan(5e6);
    },
  );
});
