/** What is kept by sequence: a Map to whoever looks. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { IdMap } from "../../../device/id-map.ts";

it("holds what a Map would, whatever comes and goes", () => {
  const id = fc.oneof(fc.nat(40), fc.nat(2 ** 20), fc.constantFrom(2 ** 31, 2 ** 32 + 5, 2 ** 40));
  const act = fc.record({ id, kept: fc.boolean() });
  fc.assert(
    fc.property(fc.array(act, { maxLength: 200 }), (acts) => {
      const map = new Map<number, number>();
      const ids = new IdMap<number>();
      acts.forEach((each, value) => {
        if (each.kept) {
          map.set(each.id, value);
          ids.set(each.id, value);
        } else {
          map.delete(each.id);
          ids.delete(each.id);
        }
        expect(ids.get(each.id)).toBe(map.get(each.id));
      });
      const known = [...map.keys()].sort((a, b) => a - b);
      expect(ids.ids()).toEqual(known);
      expect(ids.values()).toEqual(known.map((one) => map.get(one)));
      expect(ids.size).toBe(map.size);
    }),
  );
});
