import { describe, expect, it } from "vitest";
import { isLarge } from "../../../server/generation/large.ts";

describe("a value is large", () => {
  const row = (count: number) => Array.from({ length: count }, (_, i) => i);

  it("by how many values stand in it, wherever they stand", () => {
    expect(isLarge([row(90), { a: row(5) }], 100)).toBe(false);
    expect(isLarge([row(90), { a: row(9) }], 100)).toBe(true);
    expect(isLarge(Object.fromEntries(row(99).map((i) => [`a${i}`, i])), 100)).toBe(false);
    expect(isLarge(Object.fromEntries(row(100).map((i) => [`a${i}`, i])), 100)).toBe(true);
  });

  it("by the characters of its texts", () => {
    expect(isLarge(["abc", { d: "efg" }], 10, 6)).toBe(false);
    expect(isLarge(["abc", { d: "efgh" }], 10, 6)).toBe(true);
  });

  it("as soon as that is known: no more of it is read", () => {
    let read = 0;
    const names = Object.fromEntries(row(5_000).map((i) => [`a${i}`, 0]));
    const watched = new Proxy(names, {
      get: (target, name: string) => {
        read++;
        return target[name];
      },
    });
    expect(isLarge({ first: watched }, 100)).toBe(true);
    expect(read).toBeLessThan(110);
  });
});
