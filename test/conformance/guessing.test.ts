/** Guessing is no loss on hundreds of machines of all kinds; test/unit/engine/adaptive.test.ts tries some. */
import { describe, it } from "vitest";
import { expectNoLoss } from "../support/guess-machine.ts";

describe("guessing by measured costs", () => {
  it("is no loss on any of 400 machines", () => {
    for (let seed = 100; seed < 500; seed++) expectNoLoss(seed, 3000);
  }, 180_000);
});
