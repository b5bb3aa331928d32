/** Figures as the pages write them. */
import { expect, it } from "vitest";
import { clockTimes } from "../../../server/web/src/figures.ts";

it("the ends of a short time are told apart", () => {
  const at = new Date(2026, 0, 1, 7, 7, 5, 12).getTime();
  expect(clockTimes(at, at + 40)).toEqual(["07:07:05.012", "07:07:05.052"]);
  expect(clockTimes(at, at + 20_000)).toEqual(["07:07:05", "07:07:25"]);
  expect(clockTimes(0, 0)).toEqual(["", ""]);
});
