/** The trie of a vocabulary: a walk over the array visits what begins with a text, and nothing else. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { layOut, tokenTexts } from "../../../server/grammar/vocabulary.ts";

const bytes = new TextEncoder();

it("a node's subtree ends where its depth comes again, and every text has its node", () => {
  const texts = fc.array(fc.string({ unit: fc.constantFrom("a", "b", "c", "é"), maxLength: 6 }), {
    maxLength: 30,
  });
  fc.assert(
    fc.property(texts, (words) => {
      const all = words.map((word) => bytes.encode(word));
      const data = layOut(tokenTexts(all.length, (id) => all[id] ?? new Uint8Array()));
      const nodes = data.byte.length;
      const path: number[] = [];
      const found = new Map<string, number>();
      for (let node = 0; node < nodes; node++) {
        const depth = data.depth[node] ?? 0;
        let end = node + 1;
        while (end < nodes && (data.depth[end] ?? 0) > depth) end++;
        expect(data.end[node]).toBe(end);
        if (depth > 0) path.splice(depth - 1, path.length, data.byte[node] ?? 0);
        found.set(path.slice(0, depth).join(), data.here[node] ?? 0);
      }
      const counts = new Map<string, number>();
      for (const text of all) {
        if (text.length > 0) counts.set(text.join(), (counts.get(text.join()) ?? 0) + 1);
      }
      // As many tokens end at a node as have its text; those of prefixes alone have none.
      for (const [text, here] of found) expect(here).toBe(counts.get(text) ?? 0);
      for (const text of counts.keys()) expect(found.has(text)).toBe(true);
      expect(data.longest).toBe(Math.max(0, ...all.map(({ length }) => length)));
    }),
  );
});
