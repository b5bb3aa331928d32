import { expect, it } from "vitest";
import { LiveSequence } from "../../../engine/live-sequence.ts";
import { Roster } from "../../../engine/roster.ts";
import { DEFAULT_SAMPLING } from "../../../engine/sequence.ts";
import { sha256 } from "../../../server/sha256.ts";
import { engineWorld, request } from "../../support/engine-world.ts";

/** A group of completions whose states are read through a counter. */
function countedGroup(size: number) {
  const ids = Array.from({ length: size }, (_, id) => id);
  let reads = 0;
  const group = ids.map((id, index) => {
    const place = { id, index, group: ids, arrival: 0, maxContext: 64 };
    const made = new LiveSequence({ prompt: [1, 2, 3], params: DEFAULT_SAMPLING, n: size }, place);
    let status = made.status;
    Object.defineProperty(made, "status", {
      get: () => {
        reads++;
        return status;
      },
      set: (value: typeof status) => {
        status = value;
      },
    });
    return made;
  });
  return { group, reads: () => reads };
}

it.each([
  ["in their order", (ids: number[]) => ids],
  ["the last first", (ids: number[]) => ids.reverse()],
  [
    "every other one first",
    (ids: number[]) => [...ids.filter((id) => id % 2), ...ids.filter((id) => id % 2 === 0)],
  ],
])("a large group that ends one by one, %s, is looked at a few times each", (_, order) => {
  const { limits } = engineWorld().device;
  const roster = new Roster(limits, { maxNumSeqs: 4, maxNumBatchedTokens: 64 }, sha256);
  const { group, reads } = countedGroup(3_000);
  roster.add(group);
  for (const id of order(group.map((one) => one.id))) roster.finish(id, "abort");
  expect(roster.sequences.size).toBe(0);
  expect(roster.waitingDeferred).toBe(0);
  expect(reads()).toBeLessThan(12 * group.length);
  roster.check();
});

it("the first that is left leads, in the order of the group", () => {
  const { engine, clock } = engineWorld();
  const ids = engine.submit(request([1, 2, 3], { maxTokens: 2 }, { n: 5 }));
  for (const id of ids.slice(0, 2)) engine.finish(id, "abort");
  const scheduled: number[] = [];
  engine.subscribe((event) => {
    if (event.type === "request-scheduled") scheduled.push(event.id);
  });
  clock.run();
  expect(scheduled).toEqual(ids.slice(2));
});
